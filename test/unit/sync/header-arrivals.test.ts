import assert from "node:assert/strict";
import { test } from "node:test";
import { createHeaderChain } from "../../../src/sync/header-chain.ts";
import { createBlockBuilder } from "../../support/block-builder.ts";
import { openTestChain } from "../../support/chain-lab.ts";
import { streamGenesis } from "../../support/seeded-stream.ts";

test("of each header it is known when it was shown, and by whom, also after others went on from there", async () => {
  const genesis = streamGenesis();
  const { tree } = await openTestChain(genesis);
  const blocks = createBlockBuilder(genesis).extend(9, { proposer: "alice" });
  const rules = { spec: genesis.spec, chainId: genesis.chainId };
  const nowMs = genesis.spec.genesisTimestampMs + 1_000_000;
  const first = createHeaderChain(rules, tree.genesis, undefined);
  for (const { header } of blocks.slice(0, 3)) assert.ok(first.append(header, nowMs, "one").ok);
  for (const { header } of blocks.slice(3, 5)) assert.ok(first.append(header, nowMs + 5, "one").ok);
  const second = first.copy();
  for (const { header } of blocks.slice(5)) assert.ok(second.append(header, nowMs + 5, "two").ok);
  const shown = (chain: typeof first) =>
    blocks.map((_, i) => {
      const { peer, timeMs } = chain.shownAt(i) ?? {};
      return `${peer} ${(timeMs ?? 0) - nowMs}`;
    });
  const begun = ["one 0", "one 0", "one 0", "one 5", "one 5"];
  assert.deepEqual(shown(second), [...begun, "two 5", "two 5", "two 5", "two 5"]);
  assert.deepEqual(shown(first).slice(0, 5), begun);
  assert.equal(first.shownAt(-1), undefined);
});
