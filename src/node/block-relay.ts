import { type Chain, STALE_BRANCH_BLOCKS } from "../chain/index.ts";
import { checkHeaderSanity, type RuleCode } from "../consensus/index.ts";
import type { Mempool } from "../mempool/index.ts";
import { type CompactBlock, MAX_TRANSACTIONS_PER_REQUEST, type Protocols } from "../network/index.ts";
import type { Clock, GossipVerdict, Logger } from "../ports/index.ts";
import {
  assembleBlock,
  type Block,
  type BlockBody,
  type BlockId,
  bytesToHex,
  decodeBody,
  encodeBody,
  equalBytes,
  leavesRoot,
  type SealedHeader,
  type SealedTransaction,
} from "../primitives/index.ts";
import type { NoteRefusal } from "./doctor/refusals.ts";
import { createOrphanBlocks } from "./orphan-blocks.ts";
import type { Punish } from "./punish.ts";
import type { HeaderSource } from "./timeline/index.ts";

/** Announced blocks that are being put together at the same time; beyond that a sync fetches them. */
const MAX_REBUILDING = 64;
/** Of one peer: whoever announces and does not deliver must not hold up the others. */
const MAX_REBUILDING_PER_PEER = 4;
/** A body's two offsets; an offset and the smallest transaction for each leaf. */
const EMPTY_BODY_BYTES = 8;
/** Blocks further above the head than this do not wait for their parent: a sync comes before they could be connected. */
const MAX_ORPHAN_HEIGHTS = 64;
const LEAST_BYTES_PER_LEAF = 4 + 205;

export interface BlockRelayDeps {
  readonly chain: Chain;
  readonly mempool: Mempool;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly protocols: () => Protocols;
  readonly punish: Punish;
  /** The peer has something that we cannot place: ask where it stands, and sync. */
  readonly askStatus: (peer: string) => void;
  readonly noteRefusal: NoteRefusal;
  /** A header that has a place on our chain was here; its body is going to be fetched. */
  readonly headerSeen: (header: SealedHeader, source: HeaderSource) => void;
}

/** Blocks as gossip carries them: a header and leaves, put together again from what is pending here. */
export interface BlockRelay {
  /** Judges an announcement at once, by what any forwarder had to check; fetching and importing go on afterwards. */
  announced(from: string, compact: CompactBlock): Promise<GossipVerdict>;
  announce(block: Block): void;
  /** Announced blocks that wait for their parent, oldest first. */
  orphans(): readonly {
    readonly id: BlockId;
    readonly parent: BlockId;
    readonly height: number;
    readonly from: string;
  }[];
}

export function createBlockRelay(deps: BlockRelayDeps): BlockRelay {
  const { chain, mempool, clock } = deps;
  const logger = deps.logger.child({ module: "relay" });
  const { spec, chainId } = chain.genesis;
  /** Block to the peer that announced it. */
  const rebuilding = new Map<BlockId, string>();

  const orphans = createOrphanBlocks();
  chain.on("block", ({ block, status }) => {
    if (status === "invalid") return;
    for (const { from, compact, receivedMs } of orphans.takeChildrenOf(block.header.id))
      if (!isKnown(compact.header.id)) place(from, compact, receivedMs);
  });

  const isKnown = (id: BlockId): boolean =>
    chain.tree.get(id) !== undefined || chain.checks.knownInvalid(id) !== undefined;

  function hasRoomFor(peer: string): boolean {
    if (rebuilding.size >= MAX_REBUILDING) return false;
    let ofPeer = 0;
    for (const from of rebuilding.values()) if (from === peer) ofPeer++;
    return ofPeer < MAX_REBUILDING_PER_PEER;
  }

  /** The whole body, from the mempool and from the peer; `undefined` where the peer does not give what is missing. */
  async function rebuild(from: string, compact: CompactBlock): Promise<BlockBody | undefined> {
    const found = new Map<string, SealedTransaction>();
    const missing: string[] = [];
    const leaves = compact.leaves.map(bytesToHex);
    for (const leaf of leaves) {
      const transaction = mempool.getByLeaf(leaf);
      if (transaction === undefined) missing.push(leaf);
      else found.set(leaf, transaction);
    }
    if (missing.length > 0 && missing.length <= MAX_TRANSACTIONS_PER_REQUEST) {
      for (const transaction of await deps.protocols().requestTransactions(from, missing)) {
        found.set(transaction.leaf, transaction);
      }
    }
    const transactions = leaves.flatMap((leaf) => found.get(leaf) ?? []);
    if (transactions.length === leaves.length) return encodeBody(transactions, compact.engineData);
    const [whole] = await deps.protocols().requestBlocks(from, [compact.header.id]);
    const body = whole === undefined ? undefined : decodeBody(whole.bodyBytes);
    if (whole !== undefined && body === undefined)
      deps.punish(from, "sent a body that cannot be decoded: BLK-01");
    return body;
  }

  async function fetchAndImport(from: string, compact: CompactBlock, receivedMs: number): Promise<void> {
    const { id } = compact.header;
    if (rebuilding.has(id)) return;
    if (!hasRoomFor(from)) return deps.askStatus(from);
    rebuilding.set(id, from);
    try {
      const body = await rebuild(from, compact);
      if (body === undefined) return deps.askStatus(from);
      const source = { peer: from, message: "gossip" as const, receivedMs, bodyMs: clock.nowMs() };
      const result = await chain.import(assembleBlock(compact.header, body), source);
      if (result.status !== "refused") return;
      const { code, detail, permanence, mutated } = result.verdict;
      if (mutated) return deps.punish(from, `sent a body that is not its header's: ${code}`);
      logger.info({ block: id, peer: from, code, detail }, "a gossiped block was refused");
      if (permanence === "transient") deps.askStatus(from);
    } catch (error) {
      logger.debug({ block: id, peer: from, error: String(error) }, "a gossiped block could not be fetched");
      deps.askStatus(from);
    } finally {
      rebuilding.delete(id);
    }
  }

  /**
   * The rule that anybody who passed the announcement on had to check, and that it breaks; but for the root over the
   * leaves. Hashing 20,000 of them takes 20 ms, and a header that claims them costs its maker far less, so that waits
   * until the header has a place on our chain.
   */
  function cheapFaultOf({ header, leaves, engineData }: CompactBlock): RuleCode | undefined {
    const sanity = checkHeaderSanity({ spec, chainId }, header);
    if (!sanity.ok) return sanity.code;
    if (EMPTY_BODY_BYTES + leaves.length * LEAST_BYTES_PER_LEAF > spec.maxBlockBytes) return "BLK-03";
    return spec.engine === "pow" && engineData.length > 0 ? "BLK-05" : undefined;
  }

  function reject(from: string, rule: RuleCode): GossipVerdict {
    deps.punish(from, `gossiped a block against rule ${rule}`);
    return "reject";
  }

  /** Its parent is not here: it waits, and unless the parent is being put together the sender is asked where it stands. */
  function keepOrphan(from: string, compact: CompactBlock, receivedMs: number): void {
    const { parent, header } = compact.header;
    if (header.core.height - chain.head.height <= MAX_ORPHAN_HEIGHTS)
      orphans.add({ from, compact, receivedMs });
    if (!rebuilding.has(parent)) deps.askStatus(from);
  }

  /** What is left to judge of a block once its parent may be here; where it passes, it is fetched and imported. */
  function place(from: string, compact: CompactBlock, receivedMs: number): GossipVerdict {
    const { header } = compact;
    const { core } = header.header;
    const context = chain.checks.context(header);
    if (!context.ok) {
      if (context.code === "HDR-11") keepOrphan(from, compact, receivedMs);
      else deps.noteRefusal(header, from, context);
      return "ignore";
    }
    const work = (chain.tree.get(header.parent)?.work ?? 0n) + core.difficulty;
    if (work + STALE_BRANCH_BLOCKS * core.difficulty < chain.head.work) return "ignore";
    if (!equalBytes(leavesRoot(compact.leaves), core.transactionsRoot)) return reject(from, "BLK-02");
    // A leaf that stands twice is a txid that does; and whoever is asked for one twice takes the asker for a liar.
    if (new Set(compact.leaves.map(bytesToHex)).size < compact.leaves.length) return reject(from, "BLK-04");
    deps.headerSeen(header, { peer: from, receivedMs });
    void fetchAndImport(from, compact, receivedMs);
    return "accept";
  }

  return {
    orphans: () =>
      orphans.list().map(({ from, compact: { header } }) => {
        const { id, parent } = header;
        return { id, parent, height: header.header.core.height, from };
      }),
    async announced(from, compact) {
      if (isKnown(compact.header.id)) return "ignore";
      const cheapFault = cheapFaultOf(compact);
      return cheapFault === undefined ? place(from, compact, clock.nowMs()) : reject(from, cheapFault);
    },
    announce(block) {
      const { header, transactions, engineData } = block;
      const compact = { header, leaves: transactions.map(({ leafBytes }) => leafBytes), engineData };
      deps
        .protocols()
        .publishBlock(compact)
        .catch((error: unknown) =>
          logger.warn({ block: header.id, error: String(error) }, "a block was not announced"),
        );
    },
  };
}
