import type { Genesis } from "../../src/ledger/index.ts";
import { createSeededRandom } from "../../src/ports/index.ts";
import type { Block, BlockId, SealedTransaction } from "../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "./block-builder.ts";

const NAMES = ["alice", "bob", "carol"];
const DEEPEST = 6;

/** The network of seeded streams: every nonce is work enough, so that building costs little. */
export const streamGenesis = (): Genesis => testGenesis({ difficultyBits: 0 });

/**
 * The same blocks in the same order for the same seed: mostly one after the other, often a branch from a few blocks
 * back that overtakes, now and then one with an invalid block on top or in its middle. For ever.
 */
export function* seededStream(seed: number): Generator<Block> {
  const random = createSeededRandom(seed);
  const dice = (sides: number): number => Math.floor(random.fraction() * sides);
  const genesis = streamGenesis();
  const builder = createBlockBuilder(genesis);
  let trunk: BlockId[] = [builder.tip];

  function transactions(parent: BlockId): SealedTransaction[] {
    return NAMES.slice(0, dice(NAMES.length + 1)).map((from) => {
      const nonce = builder.account(parent, from)?.nonce ?? 0;
      const to = dice(2) === 0 ? `guest ${dice(200)}` : (NAMES[dice(3)] ?? "bob");
      return transfer(genesis, { from, to, amount: 1 + dice(5_000), nonce, memo: "m".repeat(dice(65)) });
    });
  }
  function extend(parent: BlockId): Block {
    return builder.build({ parent, transactions: transactions(parent), proposer: `miner ${dice(20)}` });
  }
  function spoiled(parent: BlockId): Block {
    return builder.build({
      parent,
      tweak: (core) => ({ ...core, stateRoot: new Uint8Array(32).fill(dice(256)) }),
    });
  }

  for (;;) {
    const back = Math.min(dice(DEEPEST) + 1, trunk.length - 1);
    if (dice(5) > 0 || back === 0) {
      const block = extend(trunk.at(-1) ?? "");
      trunk.push(block.header.id);
      yield block;
      continue;
    }
    // A rival branch, one block longer than what it would replace; one in four is spoiled somewhere.
    const base = trunk.length - 1 - back;
    const bad = dice(4) === 0 ? dice(back + 1) : -1;
    const branch: BlockId[] = trunk.slice(0, base + 1);
    for (let i = 0; i <= back; i++) {
      const block = i === bad ? spoiled(branch.at(-1) ?? "") : extend(branch.at(-1) ?? "");
      branch.push(block.header.id);
      yield block;
    }
    if (bad === -1) trunk = branch;
  }
}
