/** What can go wrong at the API: its HTTP status, and an example of how it is told. The one list; OpenAPI is made from it. */
export interface ErrorExample {
  readonly status: number;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

const ID = "00207f959d17a6b1c44bd9a8d5dc0d2a8f4a0a1c5e7d13f9be5a6c0d92f8b7e4";

export const API_ERRORS = {
  REQUEST_INVALID: {
    status: 400,
    message: "limit must be an integer from 1 to 1000, not 0",
    details: { at: "limit", value: 0, minimum: 1, maximum: 1_000 },
  },
  BODY_INVALID: { status: 400, message: "the body is not valid JSON" },
  URL_INVALID: { status: 400, message: "the URL's path is not valid percent-encoding" },
  BAD_CURSOR: {
    status: 400,
    message: "after must be a next value of this list, not 7-7-7",
    details: { at: "after", value: "7-7-7" },
  },
  ADDRESS_INVALID: {
    status: 400,
    message: "/ip4/127.0.0.1/tcp/0 is no address of a peer; give one such as /ip4/127.0.0.1/tcp/4001",
    details: { at: "address", value: "/ip4/127.0.0.1/tcp/0" },
  },
  ADDRESS_LOCAL: {
    status: 400,
    message:
      "10.0.0.7 is an address of this machine or a private network, which many peers may share; ban each by its name",
    details: { at: "peer", value: "10.0.0.7" },
  },
  PEER_INVALID: {
    status: 400,
    message: "12D3KooWabc is no peer's name, which begins with 12D3Koo; GET /v1/peers lists peers",
    details: { at: "peer", value: "12D3KooWabc" },
  },
  TOKEN_REQUIRED: {
    status: 401,
    message: "changing anything needs the bearer token in <data>/api-token",
  },
  TOKEN_WRONG: {
    status: 401,
    message: "the bearer token is not this node's; it is in <data>/api-token",
  },
  ACCOUNT_NOT_FOUND: {
    status: 404,
    message: "the chain has no such account; that one is absent cannot be proven",
    details: { address: "cum1fucz4zva340hzhalx5kkct3m73pvfd424q748e2u7nx40crzg2qslydvrx" },
  },
  BLOCK_NOT_FOUND: {
    status: 404,
    message: "the best chain has no height 99 yet; blocks of other branches go by their ids",
    details: { block: "99" },
  },
  TRANSACTION_NOT_FOUND: {
    status: 404,
    message: `this node never saw a transaction ${ID}`,
    details: { id: ID },
  },
  PEER_NOT_FOUND: {
    status: 404,
    message: "/ip4/192.0.2.7/tcp/4001 is not a configured peer; GET /v1/peers lists them",
    details: { peer: "/ip4/192.0.2.7/tcp/4001" },
  },
  ATTACK_OFF: {
    status: 404,
    message: "this node holds no blocks back: it was not started with --attack withhold or selfish-miner",
  },
  ROUTE_NOT_FOUND: {
    status: 404,
    message: "nothing is served at /v2/status; /openapi.json lists the routes",
    details: { path: "/v2/status" },
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    message: "DELETE is not possible on /v1/status; allowed: GET, HEAD",
    details: { method: "DELETE", allowed: ["GET", "HEAD"] },
  },
  REQUEST_TIMEOUT: { status: 408, message: "the request did not arrive in time" },
  ID_AMBIGUOUS: {
    status: 409,
    message: "00207f95 is the beginning of 2 blocks; give more digits",
    details: { matches: [ID, ID.replace(/.$/, "5")] },
  },
  HISTORY_OFF: {
    status: 409,
    message: "this node keeps no history (--no-history); start it without that, or ask another node",
  },
  TIMELINE_OFF: {
    status: 409,
    message: "this node keeps no timeline (--no-timeline); start it again without that, or ask another node",
  },
  BLOCK_IS_GENESIS: {
    status: 409,
    message: "genesis is part of every branch; to leave its network, use another --data directory",
    details: { block: ID },
  },
  BLOCK_INVALID: {
    status: 409,
    message: `block ${ID} or an ancestor breaks a rule, which no operator can change; it is in no branch`,
    details: { block: ID },
  },
  CHAIN_PRUNED: {
    status: 409,
    message: `block ${ID} was pruned here, and this node cannot go back behind it; ask a node that keeps all blocks`,
    details: { block: ID },
  },
  TOO_MANY_MARKS: {
    status: 409,
    message: "1,000 blocks are invalidated already; reconsider some of them first",
    details: { block: ID },
  },
  TOO_MANY_PEERS: { status: 409, message: "1024 links are conditioned already; heal some first" },
  TOO_MANY_BANS: { status: 409, message: "10000 bans are in force; end some first" },
  BACKUP_RUNNING: { status: 409, message: "a backup of this node is being made; wait for it" },
  MINER_BUSY: { status: 409, message: "blocks are being mined already; wait for them" },
  MINER_NOT_READY: { status: 409, message: "the node is syncing; mine when it is done" },
  MINER_REFUSED: { status: 409, message: "the chain refused a block of our own" },
  MINER_STOPPED: { status: 409, message: "the miner was stopped" },
  DASHBOARD_NOT_BUILT: {
    status: 503,
    message: "the dashboard is not built; run scripts/build in the checkout, then load this page again",
  },
  BLOCK_PRUNED: {
    status: 410,
    message: "block 12 was pruned here: this node keeps blocks from height 1001 on; ask a full node",
    details: {
      block: ID,
      height: 12,
      firstHeight: 1_001,
      header: { id: ID, height: 12, transactions: null },
    },
  },
  TRANSACTION_PRUNED: {
    status: 410,
    message:
      "the transaction is in block 12, which was pruned here: this node keeps blocks from height 1001 on; ask a full node",
    details: { id: ID, block: ID.replace(/.$/, "5"), height: 12, firstHeight: 1_001 },
  },
  BODY_TOO_LARGE: {
    status: 413,
    message: "the body must have at most 65536 bytes on this route; send less at a time",
    details: { maxBytes: 65_536 },
  },
  CONTENT_TYPE_UNSUPPORTED: {
    status: 415,
    message: "the content type must be application/json, or application/octet-stream for one SSZ transaction",
    details: { allowed: ["application/json", "application/octet-stream"] },
  },
  HOST_NOT_SERVED: {
    status: 421,
    message:
      'this node does not serve the host name "evil.example"; use localhost or an address of this machine',
  },
  TRANSACTION_REFUSED: {
    status: 422,
    message: "the transaction costs 500000000; the sender has 100000000",
    details: { id: ID, cost: 500_000_000, available: 100_000_000 },
  },
  RATE_LIMITED: {
    status: 429,
    message: "this address asks for more than the node serves; try again in 1 s",
    details: { scope: "address", retryAfterMs: 25 },
  },
  INTERNAL: { status: 500, message: "the node failed to answer; its log has the reason" },
  BANS_NOT_SAVED: {
    status: 500,
    message:
      "20.1.1.1 is banned, but that cannot be written to disk, so a restart forgets it; the node's log has the reason",
  },
  CHAIN_STOPPED: {
    status: 503,
    message:
      "the chain stopped: the store failed: no space left on device; make room on the disk and start the node again, nothing acknowledged is lost (STORE_FULL)",
  },
  STREAMS_EXHAUSTED: { status: 503, message: "64 event streams are open already; close one first" },
  MINING_TIMEOUT: {
    status: 504,
    message: "1 of 3 blocks were mined in 60000 ms; ask for the rest, or for fewer at a time",
    details: { blocks: [ID] },
  },
} as const satisfies Readonly<Record<string, ErrorExample>>;

export type ApiErrorCode = keyof typeof API_ERRORS;
