import type { ForkTree, TreeBlock } from "../consensus/index.ts";
import type { AccountKey, AccountRecord, LedgerTotals } from "../ledger/index.ts";
import type { Clock, KeyValueStore } from "../ports/index.ts";
import { type Block, type BlockId, bytesToHex, hexToBytes } from "../primitives/index.ts";
import type { Connector } from "./connector.ts";
import type { ChainEvents, Emitter } from "./events.ts";
import type { LedgerState } from "./ledger-state.ts";
import {
  type BlockSource,
  decodeReorg,
  MAX_LISTED_BLOCKS,
  MAX_LISTED_FATES,
  MAX_REORG_RECORDS,
  type ReorgBlock,
  type ReorgRecord,
  summarize,
  type TransactionFate,
} from "./reorg.ts";
import { keys, numberFromKey, tableRange } from "./schema.ts";

/** A change of head as the mempool needs it. The state is already the new head's. */
export interface Settlement {
  /** Ids, ascending by height. */
  readonly disconnected: readonly BlockId[];
  readonly connected: readonly BlockId[];
  /** Height of the new head. */
  readonly height: number;
  load(id: BlockId): Promise<Block>;
  /** Accounts at the new head. */
  accounts(accountKeys: readonly AccountKey[]): Promise<(AccountRecord | undefined)[]>;
}
/** Answers what became of the disconnected blocks' transactions, and of pending ones that a connected block ruled out. */
export type SettleTransactions = (settlement: Settlement) => Promise<TransactionFate[]>;

export interface PublisherDeps {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly node: string;
  readonly settle: SettleTransactions;
  readonly tree: ForkTree;
  readonly state: LedgerState;
  readonly connector: Connector;
  readonly emitter: Emitter<ChainEvents>;
}

/** Makes what the connector did visible: once it is durable, all at once. */
export interface Publisher {
  readonly head: TreeBlock;
  /** Sums over the state at the head. */
  readonly totals: LedgerTotals;
  /** Number of the newest reorg record; 0 where there was none. */
  readonly lastReorg: number;
  /** Pending bytes after which a batch should be published. */
  readonly batchBytes: number;
  /** Remembers where a block came from until it is published, or by which other block it comes to be the head. */
  note(id: BlockId, source: BlockSource, by?: BlockId): void;
  isConnected(id: BlockId): boolean;
  idAt(height: number): BlockId | undefined;
  /**
   * Settles transactions, writes the reorg record, flushes, and tells listeners: by `tellBlocks` of the blocks, whose
   * outcomes stand by then, before the head that they may have moved.
   */
  publish(tellBlocks?: () => void): Promise<void>;
  /** Newest first; `before` continues a listing. */
  reorgs(options: { readonly limit: number; readonly before?: number }): Promise<ReorgRecord[]>;
}

const BATCH_BYTES = 4 * 1024 * 1024;

/** The head that was published last; the connector's where that one was lost with a hole in the log. */
async function lastPublished({ store, tree, connector }: PublisherDeps): Promise<TreeBlock> {
  const id = await store.get(keys.meta("published"));
  return id === undefined ? tree.genesis : (tree.get(bytesToHex(id)) ?? connector.position);
}

export async function createPublisher(deps: PublisherDeps): Promise<Publisher> {
  const { store, clock, tree, state, connector, emitter } = deps;
  const start = await lastPublished(deps);
  const mainChain: BlockId[] = [tree.genesis.id, ...tree.path(tree.genesis.id, start.id)];
  let head = start;
  let totals = state.totals;
  let lastReorg = 0;
  for await (const [key] of store.scan({ ...tableRange("reorgs"), reverse: true, limit: 1 })) {
    lastReorg = numberFromKey(key);
  }
  const sources = new Map<BlockId, BlockSource & { readonly block: BlockId }>();
  let startedMs: number | undefined;
  let startedMonotonicMs = 0;

  const isConnected = (id: BlockId): boolean => {
    const block = tree.get(id);
    return block !== undefined && mainChain[block.height] === id;
  };

  async function settle(
    disconnected: readonly BlockId[],
    connected: readonly BlockId[],
  ): Promise<TransactionFate[]> {
    return await deps.settle({
      disconnected,
      connected,
      height: connector.position.height,
      load: connector.load,
      async accounts(accountKeys) {
        await state.prefetch(new Set(accountKeys));
        return accountKeys.map((key) => state.get(key));
      },
    });
  }

  async function describe(ids: readonly BlockId[]): Promise<ReorgBlock[]> {
    return await Promise.all(
      ids.slice(-MAX_LISTED_BLOCKS).map(async (id) => {
        const { transactions } = await connector.row(id);
        return { id, height: tree.get(id)?.height ?? 0, transactions };
      }),
    );
  }

  async function makeRecord(
    forkPoint: TreeBlock,
    disconnected: readonly BlockId[],
    connected: readonly BlockId[],
    fates: readonly TransactionFate[],
  ): Promise<ReorgRecord> {
    const position = connector.position;
    const source = sources.get(position.id) ?? {
      peer: "local",
      message: "recovery",
      receivedMs: clock.nowMs(),
      block: position.id,
    };
    return {
      id: lastReorg + 1,
      node: deps.node,
      oldHead: summarize(head),
      newHead: summarize(position),
      forkPoint: { id: forkPoint.id, height: forkPoint.height },
      depth: disconnected.length,
      blocksOut: await describe(disconnected),
      blocksIn: await describe(connected),
      blocksInCount: connected.length,
      cause: { peer: source.peer, message: source.message, block: source.block },
      receivedMs: source.receivedMs,
      startedMs: startedMs ?? source.receivedMs,
      durationMs: Math.max(0, Math.round((clock.monotonicMs() - startedMonotonicMs) * 1_000) / 1_000),
      transactions: fates.slice(0, MAX_LISTED_FATES),
      transactionCount: fates.length,
    };
  }

  return {
    get head() {
      return head;
    },
    get totals() {
      return totals;
    },
    get lastReorg() {
      return lastReorg;
    },
    batchBytes: BATCH_BYTES,
    note(id, source, by = id) {
      sources.set(id, { ...source, block: by });
      startedMs ??= clock.nowMs();
      if (sources.size === 1) startedMonotonicMs = clock.monotonicMs();
    },
    isConnected,
    idAt: (height) => mainChain[height],
    async publish(tellBlocks = () => {}) {
      const position = connector.position;
      const forkPoint = tree.forkPoint(head.id, position.id);
      const disconnected = tree.path(forkPoint.id, head.id);
      const connected = tree.path(forkPoint.id, position.id);
      const moved = disconnected.length + connected.length > 0;
      const fates = moved ? await settle(disconnected, connected) : [];
      const record =
        disconnected.length > 0 ? await makeRecord(forkPoint, disconnected, connected, fates) : undefined;
      if (record !== undefined) {
        connector.write({
          key: keys.reorg(record.id),
          value: new TextEncoder().encode(JSON.stringify(record)),
        });
        connector.write({ key: keys.reorg(Math.max(0, record.id - MAX_REORG_RECORDS)), value: undefined });
      }
      // In the batch that ends the change: after a crash on the way, the next start knows from where it is to be told.
      if (moved) connector.write({ key: keys.meta("published"), value: hexToBytes(position.id) });
      await connector.flush();
      sources.clear();
      startedMs = undefined;
      totals = state.totals;
      if (!moved) return tellBlocks();
      if (record !== undefined) lastReorg = record.id;
      const oldHead = summarize(head);
      mainChain.length = forkPoint.height + 1;
      for (const id of connected) mainChain.push(id);
      head = position;
      tellBlocks();
      emitter.emit("head", { oldHead, newHead: summarize(head), disconnected, connected });
      if (record !== undefined) emitter.emit("reorg", record);
    },
    async reorgs({ limit, before }) {
      const { gte, lt } = tableRange("reorgs");
      const range = { gte, lt: before === undefined ? lt : keys.reorg(before), reverse: true, limit };
      const records: ReorgRecord[] = [];
      for await (const [, value] of store.scan(range)) {
        records.push(decodeReorg(value));
      }
      return records;
    },
  };
}
