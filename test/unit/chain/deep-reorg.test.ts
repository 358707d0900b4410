import assert from "node:assert/strict";
import { test } from "node:test";
import type { Block } from "../../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../../support/block-builder.ts";
import { fromPeer, headStateRoot, openTestChain, replayedRoot } from "../../support/chain-lab.ts";
import { createCountingStore } from "../../support/counting-store.ts";

const genesis = testGenesis({ difficultyBits: 0 });
const NAMES = ["alice", "bob", "carol"];
const EACH = 4;

/** Blocks of a dozen transfers that make accounts, on top of each other. */
function createBranch(
  builder: ReturnType<typeof createBlockBuilder>,
  from: string,
  length: number,
  proposer: string,
): Block[] {
  const branch: Block[] = [];
  for (let i = 0, parent = from; i < length; i++) {
    const transactions = NAMES.flatMap((name) => {
      const nonce = builder.account(parent, name)?.nonce ?? 0;
      return Array.from({ length: EACH }, (_, n) =>
        transfer(genesis, { from: name, to: `${proposer} ${i % 10} ${n}`, amount: 1_000, nonce: nonce + n }),
      );
    });
    const block = builder.build({ parent, transactions, proposer });
    branch.push(block);
    parent = block.header.id;
  }
  return branch;
}

/** Goes over to another branch from `depth` blocks below, and back; answers what each block cost the store. */
async function thereAndBack(depth: number): Promise<number> {
  const builder = createBlockBuilder(genesis);
  const root = builder.tip;
  const one = createBranch(builder, root, depth, "one");
  const other = createBranch(builder, root, depth + 1, "other");
  const back = createBranch(builder, one.at(-1)?.header.id ?? "", 2, "one");
  const store = createCountingStore();
  const chain = await openTestChain(genesis, { store });
  const importTogether = (blocks: readonly Block[]) =>
    Promise.all(blocks.map((block) => chain.import(block, fromPeer())));
  await importTogether([...one, ...other.slice(0, -1), ...back.slice(0, 1)]);
  // What tips the balance comes alone, so that only the reorg is counted.
  const overtaking = [
    ...other.slice(-1),
    ...createBranch(builder, other.at(-1)?.header.id ?? "", 1, "other"),
  ];
  await importTogether(overtaking.slice(0, 1));
  const last = [...back.slice(1), ...createBranch(builder, back.at(-1)?.header.id ?? "", 1, "one")];
  store.taken();
  await importTogether(overtaking.slice(1));
  assert.equal(chain.head.id, overtaking[1]?.header.id);
  await importTogether(last);
  assert.equal(chain.head.id, last[1]?.header.id);
  const { keys } = store.taken();
  const records = await chain.reorgs({ limit: 5 });
  assert.deepEqual(
    records.map((record) => record.depth),
    [depth + 2, depth + 1],
  );
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain));
  await chain.close();
  return keys / (4 * depth);
}

test("case 7: a deep reorg, there and back, costs per block what a shallow one costs", async () => {
  const [shallow, deep] = [await thereAndBack(15), await thereAndBack(120)];
  assert.ok(deep < 1.3 * shallow, `${shallow} keys a block at depth 15, ${deep} at 120`);
});
