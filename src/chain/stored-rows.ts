import { createForkTree, type ForkTree, type TreeBlock } from "../consensus/index.ts";
import type { Genesis } from "../ledger/index.ts";
import type { KeyValueStore } from "../ports/index.ts";
import { type BlockId, bytesToHex, decodeOr, HeaderSsz } from "../primitives/index.ts";
import { type Base, decodeStoredBlock, tableRange } from "./schema.ts";

export interface StoredRow {
  readonly block: Parameters<ForkTree["insert"]>[0];
  readonly status: TreeBlock["status"];
}

export interface StoredRows {
  /** Every stored block but genesis, parents before children. */
  readonly rows: readonly StoredRow[];
  /** Ids of rows that cannot be read. */
  readonly damaged: readonly BlockId[];
}

export async function readRows(store: KeyValueStore): Promise<StoredRows> {
  const rows: StoredRow[] = [];
  const damaged: BlockId[] = [];
  for await (const [key, value] of store.scan(tableRange("blocks"))) {
    const id = bytesToHex(key.subarray(1));
    const row = decodeOr(() => decodeStoredBlock(value));
    // Without its id, which costs ten times as much: this is done for every block at every start.
    const core = row && decodeOr(() => HeaderSsz.deserialize(row.header).core);
    if (row === undefined || core === undefined) {
      damaged.push(id);
      continue;
    }
    const { height, timestampMs, difficulty } = core;
    if (height === 0) continue;
    const { arrival, status } = row;
    rows.push({
      block: { id, parent: bytesToHex(core.parent), height, timestampMs, difficulty, arrival },
      status,
    });
  }
  rows.sort((a, b) => a.block.height - b.block.height || a.block.arrival - b.block.arrival);
  return { rows, damaged };
}

export interface StoredTree {
  readonly tree: ForkTree;
  /** Lowest arrival number not used yet. */
  readonly nextArrival: number;
  /** Blocks that cannot be read or have no way to genesis. */
  readonly lost: readonly BlockId[];
  /** Blocks of branches that leave below the base, parents first: an interrupted pruning left their rows. */
  readonly cut: readonly BlockId[];
}

/** The fork tree of all stored blocks, with its floor at the base; `undefined` where the base's block is not in it. */
export async function readTree(
  store: KeyValueStore,
  genesis: Genesis,
  base: Base | undefined,
): Promise<StoredTree | undefined> {
  const { id, parent, header } = genesis.block.header;
  const { timestampMs, difficulty } = header.core;
  const marks: BlockId[] = [];
  for await (const [key] of store.scan(tableRange("marks"))) marks.push(bytesToHex(key.subarray(1)));
  const tree = createForkTree({ id, parent, height: 0, timestampMs, difficulty, arrival: 0 }, marks);
  const { rows, damaged } = await readRows(store);
  const lost = [...damaged];
  let nextArrival = 1;
  for (const { block, status } of rows) {
    nextArrival = Math.max(nextArrival, block.arrival + 1);
    if (tree.get(block.parent) === undefined) {
      lost.push(block.id);
      continue;
    }
    tree.insert(block, status === "valid" ? "valid" : "stored");
    if (status === "invalid") tree.markInvalid(block.id);
  }
  if (base === undefined) return { tree, nextArrival, lost, cut: [] };
  if (tree.get(base.block)?.height !== base.height) return undefined;
  return { tree, nextArrival, lost, cut: tree.raiseFloor(base.block) };
}
