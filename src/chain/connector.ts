import {
  type ForkTree,
  PASSED,
  type Refusal,
  refuse,
  type TreeBlock,
  type Verdict,
} from "../consensus/index.ts";
import { applyBlock, encodeUndo, touchedKeys } from "../ledger/index.ts";
import type { Write } from "../ports/index.ts";
import { type Block, type BlockId, bytesToHex, type ChainSpec, equalBytes } from "../primitives/index.ts";
import type { BlockStore } from "./block-store.ts";
import { ChainError } from "./errors.ts";
import type { Journal } from "./journal.ts";
import type { LedgerState } from "./ledger-state.ts";
import { encodePlace, encodeStoredBlock, keys, type StoredBlock } from "./schema.ts";

/** Writes held back before a batch must go out; about what one LevelDB write buffer takes. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
/** Blocks kept decoded, by body size, over a flush, for the next reorg: decoded they take some 15 times as much. */
const MAX_RECENT_BYTES = 256 * 1024;
/** Refusals kept for people to ask about; the status itself is in the tree and the store. */
const MAX_REMEMBERED_REFUSALS = 10_000;

export interface ConnectorDeps {
  readonly spec: ChainSpec;
  readonly tree: ForkTree;
  readonly state: LedgerState;
  readonly blocks: BlockStore;
  readonly journal: Journal;
}

/**
 * Moves the state along the tree, block by block, and gathers the writes. Every batch it sends out leaves a valid head,
 * so a crash in the middle of a reorg leaves the chain somewhere on the way, to be finished at the next start.
 */
export interface Connector {
  /** Where the state stands: the head once everything pending is durable. */
  readonly position: TreeBlock;
  /** Adds a block that passed all checks but *connect* to tree and store. */
  add(block: Block, stored: StoredBlock): void;
  /** Goes to the best branch, telling each height on the way up; blocks that cannot be connected are marked invalid, and the next best is taken. */
  activateBest(onConnected?: (height: number) => void): Promise<void>;
  /** Why a block could not be connected, if that happened since start. */
  refusalOf(id: BlockId): Refusal | undefined;
  /** Adds a write to the next batch. */
  write(write: Write): void;
  readonly pendingBytes: number;
  /** Sends everything pending in one synced batch. */
  flush(): Promise<void>;
  /** A block by id, from memory where it is recent. */
  load(id: BlockId): Promise<Block>;
  /** The row of a known block, as the next batch leaves it. */
  row(id: BlockId): Promise<StoredBlock>;
}

export function createConnector(deps: ConnectorDeps, start: TreeBlock): Connector {
  const { spec, tree, state, blocks, journal } = deps;
  let position = start;
  let writes: Write[] = [];
  let pendingBytes = 0;
  let undoPending = false;
  const recent = new Map<BlockId, Block>();
  // Rows of the next batch; a block that is stored and connected in one batch is written once.
  const rows = new Map<BlockId, StoredBlock>();
  let recentBytes = 0;
  const refusals = new Map<BlockId, Refusal>();

  function write(one: Write): void {
    writes.push(one);
    pendingBytes += one.key.length + (one.value?.length ?? 0);
  }

  function trimRecent(): void {
    for (const [id, block] of recent) {
      if (recentBytes <= MAX_RECENT_BYTES) return;
      recent.delete(id);
      recentBytes -= block.bodyBytes.length;
    }
  }

  async function flush(): Promise<void> {
    for (const [id, stored] of rows) write({ key: keys.block(id), value: encodeStoredBlock(stored) });
    const batch = [...writes, ...state.drain()];
    if (batch.length === 0) return;
    rows.clear();
    writes = [];
    pendingBytes = 0;
    await journal.commit(batch, position.id);
    undoPending = false;
    trimRecent();
  }

  async function load(id: BlockId): Promise<Block> {
    const block = recent.get(id) ?? (await blocks.block(id));
    if (block === undefined) throw new ChainError("CHAIN_CORRUPT", `block ${id} is missing in the database`);
    return block;
  }

  async function row(id: BlockId): Promise<StoredBlock> {
    const stored = rows.get(id) ?? (await blocks.stored(id));
    if (stored === undefined) throw new ChainError("CHAIN_CORRUPT", `block ${id} is missing in the database`);
    return stored;
  }

  async function rewriteStatus(id: BlockId, status: StoredBlock["status"], refusal: string): Promise<void> {
    const stored = await row(id);
    if (stored.status !== status) rows.set(id, { ...stored, status, refusal });
  }

  async function execute(block: Block): Promise<Verdict> {
    const { core } = block.header.header;
    await state.prefetchProven(touchedKeys(block.transactions, core.proposer));
    const execution = applyBlock(spec, state, state.totals, block);
    if (!execution.ok) return execution;
    const { change } = execution;
    const pending = await state.prepare(change);
    if (!equalBytes(pending.root, core.stateRoot)) {
      return refuse(
        "STA-01",
        `state root ${bytesToHex(core.stateRoot)}, computed ${bytesToHex(pending.root)}`,
      );
    }
    pending.commit();
    write({ key: keys.undo(block.header.id), value: encodeUndo(change.undo) });
    undoPending = true;
    block.transactions.forEach(({ txid }, index) => {
      write({ key: keys.transaction(txid), value: encodePlace(block.header.idBytes, index) });
    });
    return PASSED;
  }

  async function connect(id: BlockId): Promise<Verdict> {
    const verdict = await execute(await load(id));
    if (verdict.ok) {
      tree.markValid(id);
      await rewriteStatus(id, "valid", "");
      position = tree.get(id) ?? position;
    } else {
      tree.markInvalid(id);
      if (refusals.size >= MAX_REMEMBERED_REFUSALS) refusals.clear();
      refusals.set(id, verdict);
      await rewriteStatus(id, "invalid", verdict.code);
    }
    if (pendingBytes > MAX_PENDING_BYTES) await flush();
    return verdict;
  }

  async function disconnect(): Promise<void> {
    // Undo data is read from the store, so what was connected in this batch must be there first.
    if (undoPending) await flush();
    const block = await load(position.id);
    await state.revert(await blocks.undo(position.id));
    write({ key: keys.undo(position.id), value: undefined });
    for (const { txid } of block.transactions) write({ key: keys.transaction(txid), value: undefined });
    const parent = tree.get(position.parent);
    if (parent === undefined) throw new Error("the state cannot go below genesis");
    // Damaged undo data would show later, as a wrong state root of a block that is good.
    const header = recent.get(parent.id)?.header ?? (await blocks.header(parent.id));
    if (header === undefined || !equalBytes(state.root, header.header.core.stateRoot)) {
      const message = `the undo data of block ${position.id} does not lead back to the state of ${parent.id}`;
      throw new ChainError("CHAIN_CORRUPT", message);
    }
    position = parent;
    if (pendingBytes > MAX_PENDING_BYTES) await flush();
  }

  return {
    get position() {
      return position;
    },
    get pendingBytes() {
      return pendingBytes;
    },
    add(block, stored) {
      const { id, parent, header } = block.header;
      const { height, timestampMs, difficulty } = header.core;
      tree.insert({ id, parent, height, timestampMs, difficulty, arrival: stored.arrival });
      recent.set(id, block);
      recentBytes += block.bodyBytes.length;
      rows.set(id, stored);
      write({ key: keys.body(id), value: block.bodyBytes });
    },
    async activateBest(onConnected) {
      for (let best = tree.best(); best.id !== position.id; best = tree.best()) {
        const forkPoint = tree.forkPoint(position.id, best.id);
        while (position.id !== forkPoint.id) await disconnect();
        for (const id of tree.path(forkPoint.id, best.id)) {
          if (!(await connect(id)).ok) break;
          onConnected?.(position.height);
        }
      }
    },
    refusalOf: (id) => refusals.get(id),
    write,
    flush,
    load,
    row,
  };
}
