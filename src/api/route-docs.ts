import Type from "typebox";
import type { ApiErrorCode } from "./error-codes.ts";
import { examples } from "./examples.ts";
import { SubmitBatch, TransactionJson } from "./schemas/index.ts";

/** What a route has beside its schemas: what it costs, what can go wrong, and how it looks. */
export interface RouteDoc {
  /** Tokens of `rate-limits.ts` that a request costs; 1 where left out. */
  readonly cost?: number;
  /** Codes beside those that every route may answer. */
  readonly errors: readonly ApiErrorCode[];
  /** Bodies by what they show. */
  readonly requests?: Readonly<Record<string, unknown>>;
  /** Schemas of bodies by type, where the route checks them itself. */
  readonly requestContent?: Readonly<Record<string, unknown>>;
  /** Answers by what they show. */
  readonly answers: Readonly<Record<string, unknown>>;
  /** Default: application/json. */
  readonly contentType?: string;
  readonly description?: string;
}

/** What anybody may be answered: to any request, to one with a body, to one that changes something. */
export const COMMON_ERRORS: readonly ApiErrorCode[] = [
  "REQUEST_INVALID",
  "URL_INVALID",
  "TOKEN_WRONG",
  "TOKEN_REQUIRED",
  "REQUEST_TIMEOUT",
  "RATE_LIMITED",
  "INTERNAL",
  "CHAIN_STOPPED",
];
export const READING_ERRORS: readonly ApiErrorCode[] = ["HOST_NOT_SERVED"];
export const BODY_ERRORS: readonly ApiErrorCode[] = [
  "BODY_INVALID",
  "BODY_TOO_LARGE",
  "CONTENT_TYPE_UNSUPPORTED",
];

const list = (answers: unknown, more: Partial<RouteDoc> = {}): RouteDoc => ({
  errors: ["BAD_CURSOR"],
  answers: { page: answers },
  ...more,
});

/** By method and path, as in the OpenAPI document. A test demands one of each route. */
export const ROUTE_DOCS: Readonly<Record<string, RouteDoc>> = {
  "GET /v1/status": { errors: [], answers: { synced: examples.status } },
  "GET /v1/doctor": {
    cost: 20,
    errors: [],
    answers: { alone: examples.doctor },
    description: "Takes a quarter of a second or two: it watches the node, and dials its own addresses.",
  },
  "GET /v1/genesis": { errors: [], answers: { devnet: examples.genesis } },
  "GET /v1/peers": {
    cost: 4,
    errors: [],
    answers: { all: examples.peers },
    description: "All in one page: connections, configured addresses and refusals are bounded by the node.",
  },
  "GET /v1/links": {
    cost: 4,
    errors: [],
    answers: { all: examples.links },
    description: "All in one page: at most 1,024 peers are refused.",
  },
  "GET /v1/tips": {
    cost: 4,
    errors: [],
    answers: { all: examples.tips },
    description: "All in one page: the best 100.",
  },
  "GET /v1/tree": {
    cost: 20,
    errors: ["BAD_CURSOR"],
    answers: { all: examples.tree },
    description:
      "By height, then id, up to 5,000 blocks a page; `next` is null where all of the window is in it.",
  },
  "GET /v1/reorgs": list(examples.reorgs, { cost: 20 }),
  "GET /v1/timeline": list(examples.timeline, {
    cost: 20,
    errors: ["BAD_CURSOR", "TIMELINE_OFF"],
    description:
      "Oldest first unless `order` is newest. `after` takes `next`, or the `sequence` of any entry. Its numbers are those of the event stream, so who reads the stream and fills holes from here misses nothing. The oldest entries are dropped in time: where an item's number is not one above that before it, what lay between is not kept.",
  }),
  "GET /v1/bans": list(examples.bans, { cost: 4 }),
  "GET /v1/mempool": list(examples.mempool, { cost: 10 }),
  "GET /v1/blocks/{block}": {
    cost: 4,
    errors: ["BLOCK_NOT_FOUND", "ID_AMBIGUOUS", "BLOCK_PRUNED"],
    answers: { head: examples.block },
    description:
      "Of a block that this node has pruned, `details.header` of the 410 has what its header says, in the form of a whole one.",
  },
  "GET /v1/transactions/{id}": {
    cost: 4,
    errors: ["TRANSACTION_NOT_FOUND", "ID_AMBIGUOUS", "TRANSACTION_PRUNED"],
    answers: { mined: examples.transaction },
  },
  "GET /v1/accounts/{address}": { errors: [], answers: { known: examples.account } },
  "GET /v1/accounts/{address}/proof": {
    cost: 4,
    errors: ["ACCOUNT_NOT_FOUND"],
    answers: { proof: examples.proof },
    description: "docs/protocol.md, Proofs, says what each hash is; `provenBlock` of the client checks them.",
  },
  "GET /v1/accounts/{address}/history": list(examples.history, {
    cost: 4,
    errors: ["BAD_CURSOR", "HISTORY_OFF"],
    description:
      "The index follows the chain a moment behind it: what is above `indexedHeight` is not in the list yet, and while a reorg is followed blocks that just left the best chain may still be.",
  }),
  "GET /v1/events": {
    cost: 5,
    errors: ["STREAMS_EXHAUSTED"],
    contentType: "text/event-stream",
    answers: { start: examples.events },
    description:
      "Ids are RUN-N: RUN names a start of the node. With `Last-Event-ID` a client gets what came since, or `gap` where that is not kept any more: then it reads the present state. `end` says why the node ends the stream. docs/api.md has the rest.",
  },
  "GET /metrics": { cost: 5, errors: [], contentType: "text/plain", answers: { some: examples.metrics } },
  "POST /v1/transactions": {
    errors: ["TRANSACTION_REFUSED"],
    requests: { one: examples.transfer, batch: examples.batch },
    requestContent: {
      "application/json": Type.Union([TransactionJson, SubmitBatch]),
      "application/octet-stream": Type.String({ description: "one transaction in SSZ" }),
    },
    answers: { one: examples.submission, batch: examples.batchResult },
    description:
      "A single transaction that is refused is a 422 with the code of the rule (docs/protocol.md lists them) in place of TRANSACTION_REFUSED; in a batch each has its own verdict, and the answer is 200.",
  },
  "POST /v1/mining": {
    errors: ["MINING_TIMEOUT", "MINER_BUSY", "MINER_NOT_READY", "MINER_REFUSED", "MINER_STOPPED"],
    requests: { blocks: examples.count, continuous: examples.continuous, off: examples.off },
    answers: { mined: examples.mined, off: examples.miningOff },
  },
  "POST /v1/peers": {
    errors: ["ADDRESS_INVALID", "TOO_MANY_PEERS"],
    requests: { peer: examples.addPeer },
    answers: { added: examples.added },
  },
  "DELETE /v1/peers/{peer}": { errors: ["PEER_NOT_FOUND"], answers: { done: examples.done } },
  "POST /v1/blocks/{block}/invalidate": {
    errors: [
      "BLOCK_NOT_FOUND",
      "ID_AMBIGUOUS",
      "BLOCK_IS_GENESIS",
      "CHAIN_PRUNED",
      "BLOCK_INVALID",
      "TOO_MANY_MARKS",
    ],
    answers: { reorganized: examples.mark },
  },
  "POST /v1/blocks/{block}/reconsider": {
    errors: ["BLOCK_NOT_FOUND", "ID_AMBIGUOUS", "BLOCK_IS_GENESIS", "BLOCK_INVALID", "TOO_MANY_MARKS"],
    answers: { reorganized: examples.mark },
  },
  "POST /v1/backup": {
    errors: ["BACKUP_RUNNING"],
    contentType: "application/octet-stream",
    answers: { file: "the bytes of a backup; docs/protocol.md has their form" },
  },
  "PUT /v1/links/{peer}": {
    errors: ["PEER_INVALID", "TOO_MANY_PEERS"],
    requests: { refuse: examples.refuse, shape: examples.shape },
    answers: { refused: examples.link, shaped: examples.shaped },
  },
  "DELETE /v1/links/{peer}": { errors: [], answers: { done: examples.done } },
  "POST /v1/attack/release": { errors: ["ATTACK_OFF"], answers: { released: examples.attackRelease } },
  "PUT /v1/bans/{peer}": {
    errors: ["PEER_INVALID", "ADDRESS_LOCAL", "TOO_MANY_BANS", "BANS_NOT_SAVED"],
    requests: { day: examples.banRequest },
    answers: { banned: examples.ban },
  },
  "DELETE /v1/bans/{peer}": { errors: ["PEER_INVALID", "BANS_NOT_SAVED"], answers: { done: examples.done } },
};

/** As a route's path is called in OpenAPI: /v1/blocks/:block is /v1/blocks/{block}. */
export const openApiPath = (url: string): string => url.replace(/:([a-zA-Z]+)/g, "{$1}");
