import { createForkTree, type ForkTree } from "../../src/consensus/index.ts";
import type { Block, BlockId } from "../../src/primitives/index.ts";
import { createSyncPlanner, type SyncEffect, type SyncPlanner } from "../../src/sync/index.ts";
import { createBlockBuilder, testGenesis } from "./block-builder.ts";

export const genesis = testGenesis();
const builder = createBlockBuilder(genesis);
/** The chain that peers have: more than one window of blocks, and than may wait for import. */
export const blocks = builder.extend(300);
export const ids = blocks.map(({ header }) => header.id);
export const nowMs = genesis.spec.genesisTimestampMs + 365 * 86_400_000;

export interface Lab {
  readonly planner: SyncPlanner;
  readonly tree: ForkTree;
  /** Takes blocks into the chain as its writer would. */
  connect(...taken: readonly Block[]): void;
}

/** A planner over a chain of nothing but a tree. */
export function createLab(invalid: ReadonlySet<BlockId> = new Set()): Lab {
  const { id, parent, header } = genesis.block.header;
  const { timestampMs, difficulty } = header.core;
  const tree = createForkTree({ id, parent, height: 0, timestampMs, difficulty, arrival: 0 });
  let arrival = 1;
  const best = () => tree.best();
  const planner = createSyncPlanner(
    { spec: genesis.spec, chainId: genesis.chainId },
    {
      head: best,
      get: (one) => tree.get(one),
      idAt: (height) => (height > best().height ? undefined : tree.ancestorAt(best().id, height).id),
      isKnownInvalid: (one) => invalid.has(one),
    },
  );
  return {
    planner,
    tree,
    connect(...taken) {
      for (const { header: sealed } of taken) {
        const { height, timestampMs: time, difficulty: work } = sealed.header.core;
        tree.insert({
          id: sealed.id,
          parent: sealed.parent,
          height,
          timestampMs: time,
          difficulty: work,
          arrival: arrival++,
        });
      }
    },
  };
}

export const statusAt = (height: number, work = BigInt(height) * 16n) => ({
  head: ids[height - 1] ?? "ff".repeat(32),
  height,
  work,
});
export const headersOf = (some: readonly Block[]) => some.map(({ header }) => header);
export const kinds = (effects: readonly SyncEffect[]) => effects.map(({ kind, peer }) => `${kind} ${peer}`);
export const asked = (effects: readonly SyncEffect[]): readonly BlockId[] =>
  effects.flatMap((effect) => (effect.kind === "request-blocks" ? effect.ids : []));
