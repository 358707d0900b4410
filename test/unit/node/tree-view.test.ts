import assert from "node:assert/strict";
import { test } from "node:test";
import { treePage } from "../../../src/node/tree-view.ts";
import { createBlockBuilder } from "../../support/block-builder.ts";
import { importAll, openTestChain } from "../../support/chain-lab.ts";
import { streamGenesis } from "../../support/seeded-stream.ts";

test("a tree comes in pages, each block once and in order, however many branches there are", async () => {
  const genesis = streamGenesis();
  const builder = createBlockBuilder(genesis);
  const chain = await openTestChain(genesis);
  const trunk = builder.extend(6, { proposer: "trunk" });
  const fork = trunk[1]?.header.id ?? "";
  const rivals = Array.from({ length: 9 }, (_, i) => builder.build({ parent: fork, proposer: `rival ${i}` }));
  await importAll(chain, [...trunk, ...rivals]);
  const whole = await treePage(chain, { depth: 4, limit: 5_000 });
  assert.equal(whole.next, null);
  assert.equal(whole.items.length, 5 + 9);
  for (const limit of [1, 3, 7, 14]) {
    const items: typeof whole.items = [];
    for (let after: string | null = ""; after !== null; ) {
      const page = await treePage(chain, { depth: 4, limit, ...(after === "" ? {} : { after }) });
      assert.ok(page.items.length <= limit);
      items.push(...page.items);
      after = page.next;
    }
    assert.deepEqual(items, whole.items, `${limit} a page`);
  }
  const behind = await treePage(chain, { depth: 4, limit: 5, after: `99-${"f".repeat(64)}` });
  assert.deepEqual([behind.items, behind.next], [[], null]);
  for (const after of ["", "3", "3-abc", "03-x", `3-${"g".repeat(64)}`])
    await assert.rejects(treePage(chain, { depth: 4, limit: 5, after }), { code: "BAD_CURSOR" });
});
