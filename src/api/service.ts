import type { BlockId, GenesisJson, SealedTransaction, TxId } from "../primitives/index.ts";
import type {
  AccountHistory,
  AccountProof,
  AccountStatus,
  AddedPeer,
  AttackRelease,
  Ban,
  BanRequest,
  BlockDetail,
  BlockMark,
  Doctor,
  Link,
  LinkRequest,
  MiningStatus,
  NodeEvent,
  Page,
  Peer,
  PendingTransaction,
  Reorg,
  Status,
  Submission,
  TimelineOrder,
  TimelinePage,
  Tip,
  TransactionStatus,
  Tree,
} from "./schemas/index.ts";

/**
 * A request that cannot be done, as its caller should read it. The node throws it for what only the node can know (a
 * peer's address that does not parse, mining while syncing); whatever else it throws becomes a 500 without details.
 */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  /** Stable, in capitals: NODE_SYNCING. */
  readonly code: string;
  /** HTTP status, 400 to 599. */
  readonly status: number;
  readonly details: Readonly<Record<string, unknown>>;
  constructor(
    code: string,
    status: number,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = status;
    this.details = options.details ?? {};
  }
}

export type IdKind = "block" | "transaction";
export type BlockSelector = { readonly id: BlockId } | { readonly height: number };

/**
 * What the API needs of a node; `node/` implements it. Answers are plain JSON in the shape of the schemas. Inputs are
 * checked for shape before they get here: ids are 64 hex digits, transactions decode, counts are within their bounds.
 */
export interface NodeService {
  status(): Promise<Status>;
  /** What keeps this node from its work, and what to do. Answers also while the chain is stopped. */
  doctor(): Promise<Doctor>;
  /** The chain spec with every default written out. */
  genesis(): GenesisJson;

  peers(): Promise<Peer[]>;
  /** Remembers a configured peer and starts to dial it, without waiting for the outcome. Adding twice is harmless. */
  addPeer(address: string): Promise<AddedPeer>;
  /** Forgets a configured peer, by name or multiaddr, and disconnects it. False when there is no such peer. */
  removePeer(peerOrAddress: string): Promise<boolean>;

  /** Links that are not whole. */
  links(): Promise<Link[]>;
  /** Refuses or shapes the link to a peer, in place of all that it was before. Answers a whole one as `shape`. */
  setLink(peer: string, request: LinkRequest): Promise<Link>;
  /** Makes the link whole and redials at once. False when it was whole. */
  healLink(peer: string): Promise<boolean>;

  /** Bans in force, by subject. `after` is a `next` of an earlier page. */
  bans(page: { readonly limit: number; readonly after?: string }): Promise<Page<Ban>>;
  /**
   * Keeps a peer away, or all peers at an IP address, and disconnects them: by name, IP address, or multiaddr (its name if
   * it has one, else its IP address). Repeating it changes the ban.
   */
  ban(peerOrAddress: string, request: BanRequest): Promise<Ban>;
  /** False when there was no such ban. Configured peers are redialled at once. */
  unban(peerOrAddress: string): Promise<boolean>;

  /** The head first, then by work, descending. */
  tips(): Promise<Tip[]>;
  /** All known blocks at heights >= head - depth, by height then id. `after` is a `next` of an earlier page. */
  tree(window: { readonly depth: number; readonly limit: number; readonly after?: string }): Promise<Tree>;
  /** Newest first. `after` is a `next` of an earlier page. */
  reorgs(page: { readonly limit: number; readonly after?: string }): Promise<Page<Reorg>>;
  /** What this node saw, in order; fails with TIMELINE_OFF where it keeps none. */
  timeline(page: {
    readonly limit: number;
    readonly after?: string;
    readonly order: TimelineOrder;
  }): Promise<TimelinePage>;
  mempool(page: { readonly limit: number; readonly after?: string }): Promise<Page<PendingTransaction>>;
  /** By height: on the best chain. */
  block(selector: BlockSelector): Promise<BlockDetail | undefined>;
  /**
   * Sets a block and its descendants aside until `reconsiderBlock`, over restarts too. Undefined where it is unknown; a
   * `ServiceError` for genesis and invalid blocks.
   */
  invalidateBlock(selector: BlockSelector): Promise<BlockMark | undefined>;
  /** Takes such marks from the block, its ancestors and its descendants. */
  reconsiderBlock(selector: BlockSelector): Promise<BlockMark | undefined>;
  transaction(id: TxId): Promise<TransactionStatus | undefined>;
  /**
   * Ids that begin with these hex digits, at most `limit`: of blocks near the head and of transactions this node saw
   * lately. For ids as people copy them from a table; not a search of all there ever was.
   */
  findIds(kind: IdKind, prefix: string, limit: number): Promise<string[]>;
  /** Unknown accounts come with `exists: false`. */
  account(publicKey: Uint8Array): Promise<AccountStatus>;
  /** Undefined for unknown accounts: that one is absent cannot be proven. */
  accountProof(publicKey: Uint8Array): Promise<AccountProof | undefined>;

  /** Newest first; fails with HISTORY_OFF where this node keeps none. */
  accountHistory(
    publicKey: Uint8Array,
    page: { readonly limit: number; readonly after?: string },
  ): Promise<AccountHistory>;

  /** One verdict per transaction, in order; checks signatures, admits to the mempool and relays. Never blames anyone. */
  submit(transactions: readonly SealedTransaction[]): Promise<Submission[]>;

  /**
   * Mines `count` blocks as fast as it can; settles with their ids once all are connected. When the signal is aborted
   * first, settles soon with the ids of those connected until then.
   */
  mineBlocks(count: number, signal: AbortSignal): Promise<BlockId[]>;
  /** Mines at `hashRate` tries a second until told otherwise; undefined: the default rate of this network. */
  mineContinuously(hashRate: number | undefined): Promise<void>;
  stopMining(): Promise<void>;
  mining(): Promise<MiningStatus>;

  /** Shows peers what this node held back from them; fails with ATTACK_OFF unless it was started to do so. */
  releaseAttack(): Promise<AttackRelease>;

  /**
   * A backup of the chain as it is now, without keys; the bytes come as they are taken. One at a time. To be read to its
   * end, or ended by `return`.
   */
  backup(): Promise<AsyncIterableIterator<Uint8Array>>;

  /**
   * Calls back for every event from now on, in order, never during a reorg; `onMissed` where more happened at once than
   * is kept to be told, and what waited was dropped. Returns how to stop it.
   */
  subscribe(listener: (event: NodeEvent) => void, onMissed?: () => void): () => void;
}
