import type { FastifyInstance } from "fastify";
import Type from "typebox";
import { decodeAddress } from "../../primitives/index.ts";
import {
  AccountHistory,
  AccountProof,
  AccountStatus,
  Address,
  BanList,
  BlockDetail,
  Cursor,
  Doctor,
  ErrorBody,
  LinkList,
  PeerList,
  PendingList,
  ReorgList,
  Status,
  Strict,
  TimelinePage,
  TimelineQuery,
  TipList,
  TransactionStatus,
  Tree,
} from "../schemas/index.ts";
import { type BlockSelector, type IdKind, type NodeService, ServiceError } from "../service.ts";
import { invalidRequest } from "../validation.ts";

/** Heights below the head that one tree shows at most. */
const MAX_TREE_DEPTH = 1_000;
/** Blocks in one answer, on all branches: a few megabytes. */
const MAX_TREE_BLOCKS = 5_000;
const MAX_PAGE = 1_000;

const Paging = Strict({
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: MAX_PAGE, description: `an integer from 1 to ${MAX_PAGE}` }),
  ),
  after: Type.Optional(Cursor),
});
type Paging = Type.Static<typeof Paging>;

/** What a route may answer: its own schema, or an error in the one form. */
export const answers = (schema: Type.TSchema): Record<string, Type.TSchema> => ({
  200: schema,
  "4xx": ErrorBody,
  "5xx": ErrorBody,
});

const pageOf = ({ limit = 100, after }: Paging) => ({ limit, ...(after === undefined ? {} : { after }) });
const whole = <Item>(items: Item[]) => ({ items, next: null });

function notFound(code: string, message: string, details: Readonly<Record<string, unknown>>): ServiceError {
  return new ServiceError(code, 404, message, { details });
}

/** Reads what has no parameters. */
function addOverviews(app: FastifyInstance, node: NodeService): void {
  const schema = (summary: string, answer: Type.TSchema) => ({
    schema: { summary, response: answers(answer) },
  });
  app.get("/v1/status", schema("Head, state, peers, mempool and mining at a glance", Status), () =>
    node.status(),
  );
  app.get(
    "/v1/doctor",
    schema("What keeps this node from its work, or may soon, and what to do about it", Doctor),
    () => node.doctor(),
  );
  app.get(
    "/v1/genesis",
    schema("The chain spec, as genesis.json with all defaults", Type.Record(Type.String(), Type.Unknown())),
    async () => node.genesis(),
  );
  app.get("/v1/peers", schema("Connected, configured and refused peers", PeerList), async () =>
    whole(await node.peers()),
  );
  app.get("/v1/links", schema("Links to peers that are not whole", LinkList), async () =>
    whole(await node.links()),
  );
  app.get("/v1/tips", schema("The leaves of all branches, the head first", TipList), async () =>
    whole(await node.tips()),
  );
}

function addLists(app: FastifyInstance, node: NodeService): void {
  app.get<{ Querystring: { depth?: number; limit?: number; after?: string } }>(
    "/v1/tree",
    {
      schema: {
        summary: "All known blocks near the head, on every branch",
        querystring: Strict({
          depth: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: MAX_TREE_DEPTH,
              description: `an integer from 1 to ${MAX_TREE_DEPTH}`,
            }),
          ),
          limit: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: MAX_TREE_BLOCKS,
              description: `an integer from 1 to ${MAX_TREE_BLOCKS}`,
            }),
          ),
          after: Type.Optional(Cursor),
        }),
        response: answers(Tree),
      },
    },
    ({ query: { depth = 20, limit = MAX_TREE_BLOCKS, after } }) =>
      node.tree({ depth, limit, ...(after === undefined ? {} : { after }) }),
  );
  app.get<{ Querystring: Paging }>(
    "/v1/reorgs",
    { schema: { summary: "Reorg records, newest first", querystring: Paging, response: answers(ReorgList) } },
    ({ query }) => node.reorgs(pageOf(query)),
  );
  app.get<{ Querystring: TimelineQuery }>(
    "/v1/timeline",
    {
      schema: {
        summary: "What this node saw of blocks, heads, reorgs, peers and links, and when",
        querystring: TimelineQuery,
        response: answers(TimelinePage),
      },
    },
    ({ query: { order = "oldest", ...page } }) => node.timeline({ ...pageOf(page), order }),
  );
  app.get<{ Querystring: Paging }>(
    "/v1/bans",
    { schema: { summary: "Bans in force", querystring: Paging, response: answers(BanList) } },
    ({ query }) => node.bans(pageOf(query)),
  );
  app.get<{ Querystring: Paging }>(
    "/v1/mempool",
    { schema: { summary: "Pending transactions", querystring: Paging, response: answers(PendingList) } },
    ({ query }) => node.mempool(pageOf(query)),
  );
}

/** Shorter beginnings of ids are not looked for: they fit too many. */
const SHORT_ID_DIGITS = 8;
const ID_DIGITS = 64;
/** Ids that an ambiguous one is told to fit. */
const MAX_MATCHES = 10;

export const BlockName = Type.String({
  pattern: `^([0-9a-f]{${SHORT_ID_DIGITS},${ID_DIGITS}}|[0-9]{1,15})$`,
  description: `a block id (${ID_DIGITS} lowercase hex digits, or the first ${SHORT_ID_DIGITS} or more of them) or a height`,
});
const TransactionName = Type.String({
  pattern: `^[0-9a-f]{${SHORT_ID_DIGITS},${ID_DIGITS}}$`,
  description: `${ID_DIGITS} lowercase hex digits, or the first ${SHORT_ID_DIGITS} or more of them`,
});

/** The one id that begins like this; undefined where the node knows none lately. */
async function wholeId(node: NodeService, kind: IdKind, text: string): Promise<string | undefined> {
  if (text.length === ID_DIGITS) return text;
  const matches = await node.findIds(kind, text, MAX_MATCHES);
  if (matches.length <= 1) return matches[0];
  const message = `${text} is the beginning of ${matches.length === MAX_MATCHES ? "many" : matches.length} ${kind}s; give more digits`;
  throw new ServiceError("ID_AMBIGUOUS", 409, message, { details: { matches } });
}

/** What `find` says of the block that a text names: a whole id, the beginning of one, or a height. */
export async function ofBlockNamed<Found>(
  node: NodeService,
  text: string,
  find: (selector: BlockSelector) => Promise<Found | undefined>,
): Promise<Found> {
  // Ids begin with zeros where blocks are hard to find; a height has none to spare.
  const isHeight = /^([0-9]{1,7}|[1-9][0-9]{7,14})$/.test(text);
  const id = text.length < SHORT_ID_DIGITS ? undefined : await wholeId(node, "block", text);
  const selector = id === undefined ? { height: Number(text) } : { id };
  const block = id === undefined && !isHeight ? undefined : await find(selector);
  if (block !== undefined) return block;
  const what =
    text.length === ID_DIGITS
      ? `no block ${text} is known here`
      : isHeight
        ? `the best chain has no height ${text} yet; blocks of other branches go by their ids`
        : `no block near the head begins with ${text}; an older one needs its whole id`;
  throw notFound("BLOCK_NOT_FOUND", what, { block: text });
}

async function unknownTransaction(node: NodeService, id: string): Promise<string> {
  const { firstHeight } = await node.status();
  return firstHeight === 0
    ? `this node never saw a transaction ${id}`
    : `transaction ${id} is not in the blocks from height ${firstHeight} on, which this node keeps; ask a full node for those below`;
}

async function findTransaction(node: NodeService, text: string): Promise<TransactionStatus> {
  const id = await wholeId(node, "transaction", text);
  const transaction = id === undefined ? undefined : await node.transaction(id);
  if (transaction !== undefined) return transaction;
  const what =
    text.length === ID_DIGITS
      ? await unknownTransaction(node, text)
      : `no transaction that this node saw since its start begins with ${text}; an older one needs its whole id`;
  throw notFound("TRANSACTION_NOT_FOUND", what, { id: text });
}

function keyOf(address: string): Uint8Array {
  const key = decodeAddress(address);
  if (key !== undefined) return key;
  throw invalidRequest(`address ${address} has a wrong checksum`, { at: "address", value: address });
}

function addLookups(app: FastifyInstance, node: NodeService): void {
  app.get<{ Params: { block: string } }>(
    "/v1/blocks/:block",
    {
      schema: {
        summary: "One block, by id (its first digits do near the head) or by height on the best chain",
        params: Strict({ block: BlockName }),
        response: answers(BlockDetail),
      },
    },
    ({ params }) => ofBlockNamed(node, params.block, node.block),
  );
  app.get<{ Params: { id: string } }>(
    "/v1/transactions/:id",
    {
      schema: {
        summary: "One transaction and its fate; the first digits do for one seen lately",
        params: Strict({ id: TransactionName }),
        response: answers(TransactionStatus),
      },
    },
    ({ params }) => findTransaction(node, params.id),
  );
  app.get<{ Params: { address: string } }>(
    "/v1/accounts/:address",
    {
      schema: {
        summary: "Balance and nonce of one account",
        params: Strict({ address: Address }),
        response: answers(AccountStatus),
      },
    },
    ({ params: { address } }) => node.account(keyOf(address)),
  );
  app.get<{ Params: { address: string } }>(
    "/v1/accounts/:address/proof",
    {
      schema: {
        summary: "One account at the head, with the hashes that lead from it to the block's id",
        params: Strict({ address: Address }),
        response: answers(AccountProof),
      },
    },
    async ({ params: { address } }) => {
      const proof = await node.accountProof(keyOf(address));
      if (proof !== undefined) return proof;
      const message = `the chain has no account ${address}; that one is absent cannot be proven`;
      throw notFound("ACCOUNT_NOT_FOUND", message, { address });
    },
  );
}

function addHistory(app: FastifyInstance, node: NodeService): void {
  app.get<{ Params: { address: string }; Querystring: Paging }>(
    "/v1/accounts/:address/history",
    {
      schema: {
        summary: "What happened to one account, newest first, as far as the index is (indexedHeight)",
        params: Strict({ address: Address }),
        querystring: Paging,
        response: answers(AccountHistory),
      },
    },
    ({ params: { address }, query }) => node.accountHistory(keyOf(address), pageOf(query)),
  );
}

/** Everything that only looks. */
export function addReadingRoutes(app: FastifyInstance, node: NodeService): void {
  addOverviews(app, node);
  addLists(app, node);
  addLookups(app, node);
  addHistory(app, node);
}
