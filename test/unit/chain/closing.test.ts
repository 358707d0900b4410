import assert from "node:assert/strict";
import { test } from "node:test";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";
import { fromPeer, openTestChain } from "../../support/chain-lab.ts";

const genesis = testGenesis();

test("closing lets the running batch end and turns away what waits behind it", async () => {
  const chain = await openTestChain(genesis);
  const imports = createBlockBuilder(genesis)
    .extend(1_000)
    .map((block) => chain.import(block, fromPeer()));
  const settled = Promise.allSettled(imports);
  await chain.close();
  const results = await settled;
  const connected = results.filter(({ status }) => status === "fulfilled").length;
  assert.ok(connected <= 256, `${connected} blocks were executed while closing`);
  assert.equal(chain.head.height, connected);
  for (const result of results) {
    if (result.status === "rejected") assert.equal(result.reason.code, "CHAIN_STOPPED");
    else assert.equal(result.value.status, "connected");
  }
});

test("a question or a block after closing is refused, and the chain does not cry for help", async () => {
  const chain = await openTestChain(genesis);
  let fatal = 0;
  chain.on("fatal", () => fatal++);
  const [account] = genesis.state.accounts;
  await chain.close();
  const closed = { code: "CHAIN_STOPPED" };
  await assert.rejects(chain.accounts([account?.key ?? ""]), closed);
  await assert.rejects(chain.buildTemplate({ proposer: new Uint8Array(32), candidates: () => [] }), closed);
  await assert.rejects(chain.import(createBlockBuilder(genesis).build(), fromPeer()), closed);
  assert.equal(fatal, 0);
});

test("a reader of accounts that throws fails its own call only", async () => {
  const chain = await openTestChain(genesis);
  let fatal = 0;
  chain.on("fatal", () => fatal++);
  const failing = chain.withAccounts([], () => {
    throw new RangeError("a fault of the reader");
  });
  await assert.rejects(failing, { name: "RangeError", message: "a fault of the reader" });
  assert.equal(fatal, 0);
  const { status } = await chain.import(createBlockBuilder(genesis).build(), fromPeer());
  assert.equal(status, "connected");
  await chain.close();
});
