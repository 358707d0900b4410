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
  MiningRequest,
  MiningResult,
  Page,
  Peer,
  PendingTransaction,
  Reorg,
  Status,
  Submission,
  SubmitResult,
  TimelineOrder,
  TimelinePage,
  Tip,
  TransactionJson,
  TransactionStatus,
  Tree,
} from "../api/index.ts";
import { type EventsOptions, followEvents, type ReceivedEvent } from "./events.ts";
import { createHttp, type HttpOptions, readBytes } from "./http.ts";

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** How long a reading call is tried again, ms; in place of the client's own. */
  readonly retryForMs?: number;
}

export interface LinkOptions extends CallOptions {
  /** When the link becomes whole by itself. Absent: it does not. */
  readonly forMs?: number;
}

/** What is absent is whole. */
export type LinkShapes = Pick<Extract<LinkRequest, { mode: "shape" }>, "out" | "in">;

export interface PageOptions extends CallOptions {
  /** 1 to 1,000; 100 by default. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

/** How long counted mining may take when the caller does not say, ms. */
const DEFAULT_MINE_TIMEOUT_MS = 60_000;
/** The server ends counted mining itself; this much later we stop waiting for its answer. */
const ANSWER_SLACK_MS = 5_000;

/** A reorg of thousands of full blocks. */
const REORG_TIMEOUT_MS = 600_000;

/** One node's HTTP API, a method per route. Failures are `ApiError`s, or the signal's reason. */
export interface Client {
  readonly url: string;
  status(options?: CallOptions): Promise<Status>;
  /** What keeps the node from its work, problems first, and what to do about it. */
  doctor(options?: CallOptions): Promise<Doctor>;
  /** genesis.json with every default written out. */
  genesis(options?: CallOptions): Promise<Record<string, unknown>>;
  peers(options?: CallOptions): Promise<Page<Peer>>;
  addPeer(address: string, options?: CallOptions): Promise<AddedPeer>;
  removePeer(peerOrAddress: string, options?: CallOptions): Promise<{ done: boolean }>;
  links(options?: CallOptions): Promise<Page<Link>>;
  /** Closes the connections with the peer and refuses new ones, both ways. */
  refuseLink(peer: string, options?: LinkOptions): Promise<Link>;
  /** Shapes what is sent to the peer (`out`) and read from it (`in`), in place of all that the link was before. */
  shapeLink(peer: string, shapes: LinkShapes, options?: LinkOptions): Promise<Link>;
  /** Makes the link whole, and redials. */
  healLink(peer: string, options?: CallOptions): Promise<{ done: boolean }>;
  bans(page?: PageOptions): Promise<Page<Ban>>;
  /** By name, IP address or multiaddr (its name if it has one, else its IP address); for 24 hours by default. */
  ban(peerOrAddress: string, request?: BanRequest, options?: CallOptions): Promise<Ban>;
  unban(peerOrAddress: string, options?: CallOptions): Promise<{ done: boolean }>;
  tips(options?: CallOptions): Promise<Page<Tip>>;
  /** Blocks from `depth` (1 to 1,000) below the head upwards; up to 5,000 a page. */
  tree(depth: number, page?: PageOptions): Promise<Tree>;
  reorgs(page?: PageOptions): Promise<Page<Reorg>>;
  /** What the node saw, and when; oldest first by default. `after` takes any entry's sequence; up to 5,000 a page. */
  timeline(page?: PageOptions & { readonly order?: TimelineOrder }): Promise<TimelinePage>;
  mempool(page?: PageOptions): Promise<Page<PendingTransaction>>;
  /** By id, or by height on the best chain. */
  block(idOrHeight: string | number, options?: CallOptions): Promise<BlockDetail>;
  /** Answers when the best branch that remains is the head, which may take minutes for an old block. */
  invalidateBlock(idOrHeight: string | number, options?: CallOptions): Promise<BlockMark>;
  reconsiderBlock(idOrHeight: string | number, options?: CallOptions): Promise<BlockMark>;
  /** The bytes of a backup of the chain, without keys, as they come. Fails with an `ApiError`, also on the way. */
  backup(options?: CallOptions): Promise<AsyncGenerator<Uint8Array>>;
  transaction(id: string, options?: CallOptions): Promise<TransactionStatus>;
  account(address: string, options?: CallOptions): Promise<AccountStatus>;
  /** The account at the head, with what proves it: `provenBlock` tells of which block. Only of accounts that exist. */
  accountProof(address: string, options?: CallOptions): Promise<AccountProof>;
  /** What happened to the account, newest first, up to `indexedHeight`. */
  accountHistory(address: string, page?: PageOptions): Promise<AccountHistory>;
  /** One transaction as its SSZ bytes; a refused one is an `ApiError` with the rule's code and status 422. */
  submit(bytes: Uint8Array, options?: CallOptions): Promise<Submission>;
  /** 1 to 1,000 transactions; refused ones are told in the result. */
  submitBatch(transactions: readonly TransactionJson[], options?: CallOptions): Promise<SubmitResult>;
  /** With mode `blocks`: settles when they are connected; fails with MINING_TIMEOUT (details.blocks) when late. */
  mining(request: MiningRequest, options?: CallOptions): Promise<MiningResult>;
  /** Shows peers what a node started with --attack held back; fails with ATTACK_OFF where it holds nothing back. */
  releaseAttack(options?: CallOptions): Promise<AttackRelease>;
  /**
   * Events from now on, until the signal is aborted. A lost connection is made again and goes on where it was; an
   * `ApiError` is thrown where that fails for too long. What was missed is told as a `gap`.
   */
  events(signal: AbortSignal, options?: EventsOptions): AsyncGenerator<ReceivedEvent>;
}

function pageQuery({ limit, after }: PageOptions): string {
  const query = new URLSearchParams();
  if (limit !== undefined) query.set("limit", String(limit));
  if (after !== undefined) query.set("after", after);
  return query.size === 0 ? "" : `?${query}`;
}

/** A client for the API at `options.url`. */
export function createClient(options: HttpOptions): Client {
  const url = options.url.replace(/\/+$/, "");
  const http = createHttp({ ...options, url });
  const part = encodeURIComponent;
  const markBlock = (idOrHeight: string | number, what: string, call?: CallOptions): Promise<BlockMark> =>
    http(`/v1/blocks/${part(String(idOrHeight))}/${what}`, {
      ...call,
      method: "POST",
      timeoutMs: REORG_TIMEOUT_MS,
    });
  const putLink = (peer: string, request: LinkRequest, { forMs, signal }: LinkOptions = {}): Promise<Link> =>
    http(`/v1/links/${part(peer)}`, {
      signal,
      method: "PUT",
      json: forMs === undefined ? request : { ...request, forMs },
    });
  return {
    url,
    status: (call) => http("/v1/status", call),
    doctor: (call) => http("/v1/doctor", call),
    genesis: (call) => http("/v1/genesis", call),
    peers: (call) => http("/v1/peers", call),
    addPeer: (address, call) => http("/v1/peers", { ...call, method: "POST", json: { address } }),
    removePeer: (peer, call) => http(`/v1/peers/${part(peer)}`, { ...call, method: "DELETE" }),
    links: (call) => http("/v1/links", call),
    refuseLink: (peer, call) => putLink(peer, { mode: "refuse" }, call),
    shapeLink: (peer, shapes, call) => putLink(peer, { ...shapes, mode: "shape" }, call),
    healLink: (peer, call) => http(`/v1/links/${part(peer)}`, { ...call, method: "DELETE" }),
    bans: (page = {}) => http(`/v1/bans${pageQuery(page)}`, page),
    ban: (peer, request = {}, call = {}) =>
      http(`/v1/bans/${part(peer)}`, { ...call, method: "PUT", json: request }),
    unban: (peer, call) => http(`/v1/bans/${part(peer)}`, { ...call, method: "DELETE" }),
    tips: (call) => http("/v1/tips", call),
    tree: (depth, page = {}) => http(`/v1/tree?depth=${depth}${pageQuery(page).replace("?", "&")}`, page),
    reorgs: (page = {}) => http(`/v1/reorgs${pageQuery(page)}`, page),
    timeline: (page = {}) =>
      http(`/v1/timeline?order=${page.order ?? "oldest"}${pageQuery(page).replace("?", "&")}`, page),
    mempool: (page = {}) => http(`/v1/mempool${pageQuery(page)}`, page),
    block: (idOrHeight, call) => http(`/v1/blocks/${part(String(idOrHeight))}`, call),
    invalidateBlock: (idOrHeight, call) => markBlock(idOrHeight, "invalidate", call),
    reconsiderBlock: (idOrHeight, call) => markBlock(idOrHeight, "reconsider", call),
    backup: (call) => readBytes({ ...options, url }, "/v1/backup", call?.signal),
    transaction: (id, call) => http(`/v1/transactions/${part(id)}`, call),
    account: (address, call) => http(`/v1/accounts/${part(address)}`, call),
    accountProof: (address, call) => http(`/v1/accounts/${part(address)}/proof`, call),
    accountHistory: (address, page = {}) =>
      http(`/v1/accounts/${part(address)}/history${pageQuery(page)}`, page),
    submit: (bytes, call) => http("/v1/transactions", { ...call, method: "POST", bytes }),
    submitBatch: (transactions, call) =>
      http("/v1/transactions", { ...call, method: "POST", json: { transactions } }),
    mining: (request, call) => {
      const mineMs = request.mode === "blocks" ? (request.timeoutMs ?? DEFAULT_MINE_TIMEOUT_MS) : 0;
      const deadline = mineMs === 0 ? {} : { timeoutMs: mineMs + ANSWER_SLACK_MS };
      return http("/v1/mining", { ...call, ...deadline, method: "POST", json: request });
    },
    releaseAttack: (call) => http("/v1/attack/release", { ...call, method: "POST" }),
    events: (signal, eventsOptions) => followEvents(async () => ({ ...options, url }), signal, eventsOptions),
  };
}
