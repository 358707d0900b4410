import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, provenBlock } from "../../src/client/index.ts";
import { generateKey } from "../../src/keys/index.ts";
import { runCli } from "../support/cli.ts";
import { createLab } from "../support/daemon.ts";

test("an account is proven by the node and checked by whoever asked, down to the id of a block", async (t) => {
  const lab = createLab(t);
  const { client, dataDir } = await lab.start();
  await client.mining({ mode: "blocks", count: 3 });
  const { mining, head } = await client.status();
  const proof = await client.accountProof(mining.rewardTo);
  assert.deepEqual([proof.balance, proof.nonce, proof.index], [150e8, 0, 0]);
  assert.deepEqual(proof.block, { id: head.id, height: 3 });
  assert.equal(provenBlock(proof), head.id);

  const changes = [
    { balance: proof.balance + 1 },
    { nonce: 1 },
    { index: 1 },
    { address: generateKey().address },
    { siblings: proof.siblings.with(7, "ab".repeat(32)) },
    { siblings: proof.siblings.with(41, "ab".repeat(32)) },
  ];
  for (const change of changes) assert.notEqual(provenBlock({ ...proof, ...change }), head.id);
  assert.throws(() => provenBlock({ ...proof, siblings: proof.siblings.slice(1) }), RangeError);

  const shown = await runCli(["account", "reward", "--proof", "--data", dataDir]);
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, /balance +150 coins\n[\s\S]*proven +by 42 hashes that lead to block 3\n/);
  const json = await runCli(["account", "reward", "--proof", "--json", "--data", dataDir]);
  assert.deepEqual(JSON.parse(json.stdout), proof);

  const stranger = generateKey().address;
  await assert.rejects(client.accountProof(stranger), (error: ApiError) => {
    assert.deepEqual([error.code, error.status], ["ACCOUNT_NOT_FOUND", 404]);
    return error instanceof ApiError;
  });
});
