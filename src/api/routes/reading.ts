import type { FastifyInstance } from "fastify";
import Type from "typebox";
import { decodeAddress } from "../../primitives/index.ts";
import {
  AccountStatus,
  Address,
  BlockDetail,
  Cursor,
  ErrorBody,
  Id,
  LinkList,
  PeerList,
  PendingList,
  ReorgList,
  Status,
  Strict,
  TipList,
  TransactionStatus,
  Tree,
} from "../schemas/index.ts";
import { type BlockSelector, type NodeService, ServiceError } from "../service.ts";

/** Heights below the head that one tree shows at most: the answer stays around a few megabytes. */
const MAX_TREE_DEPTH = 1_000;
const MAX_PAGE = 1_000;

const Paging = Strict({
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: MAX_PAGE, description: `an integer from 1 to ${MAX_PAGE}` }),
  ),
  after: Type.Optional(Cursor),
});
type Paging = Type.Static<typeof Paging>;
const NoQuery = Strict({});

/** What a route may answer: its own schema, or an error in the one form. */
export const answers = (schema: Type.TSchema): Record<string, Type.TSchema> => ({
  200: schema,
  "4xx": ErrorBody,
  "5xx": ErrorBody,
});

const pageOf = ({ limit = 100, after }: Paging) => ({ limit, ...(after === undefined ? {} : { after }) });
const whole = <Item>(items: Item[]) => ({ items, next: null });

function notFound(code: string, message: string): ServiceError {
  return new ServiceError(code, 404, message);
}

/** Reads what has no parameters. */
function addOverviews(app: FastifyInstance, node: NodeService): void {
  const schema = (summary: string, answer: Type.TSchema) => ({
    schema: { summary, querystring: NoQuery, response: answers(answer) },
  });
  app.get("/v1/status", schema("Head, state, peers, mempool and mining at a glance", Status), () =>
    node.status(),
  );
  app.get(
    "/v1/genesis",
    schema("The chain spec, as genesis.json with all defaults", Type.Record(Type.String(), Type.Unknown())),
    async () => node.genesis(),
  );
  app.get("/v1/peers", schema("Connected, configured and refused peers", PeerList), async () =>
    whole(await node.peers()),
  );
  app.get("/v1/links", schema("Peers the link conditioner refuses", LinkList), async () =>
    whole(await node.links()),
  );
  app.get("/v1/tips", schema("The leaves of all branches, the head first", TipList), async () =>
    whole(await node.tips()),
  );
}

function addLists(app: FastifyInstance, node: NodeService): void {
  app.get<{ Querystring: { depth?: number } }>(
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
        }),
        response: answers(Tree),
      },
    },
    ({ query: { depth = 20 } }) => node.tree(depth),
  );
  app.get<{ Querystring: Paging }>(
    "/v1/reorgs",
    { schema: { summary: "Reorg records, newest first", querystring: Paging, response: answers(ReorgList) } },
    ({ query }) => node.reorgs(pageOf(query)),
  );
  app.get<{ Querystring: Paging }>(
    "/v1/mempool",
    { schema: { summary: "Pending transactions", querystring: Paging, response: answers(PendingList) } },
    ({ query }) => node.mempool(pageOf(query)),
  );
}

const BlockName = Type.String({
  pattern: "^([0-9a-f]{64}|[0-9]{1,15})$",
  description: "a block id (64 lowercase hex digits) or a height",
});

function selectBlock(text: string): BlockSelector {
  return text.length === 64 ? { id: text } : { height: Number(text) };
}

function addLookups(app: FastifyInstance, node: NodeService): void {
  app.get<{ Params: { block: string } }>(
    "/v1/blocks/:block",
    {
      schema: {
        summary: "One block, by id or by height on the best chain",
        params: Strict({ block: BlockName }),
        querystring: NoQuery,
        response: answers(BlockDetail),
      },
    },
    async ({ params }) => {
      const block = await node.block(selectBlock(params.block));
      if (block !== undefined) return block;
      const what =
        params.block.length === 64
          ? `no block ${params.block} is known here`
          : `the best chain has no height ${params.block} yet`;
      throw notFound("BLOCK_NOT_FOUND", what);
    },
  );
  app.get<{ Params: { id: string } }>(
    "/v1/transactions/:id",
    {
      schema: {
        summary: "One transaction and its fate",
        params: Strict({ id: Id }),
        querystring: NoQuery,
        response: answers(TransactionStatus),
      },
    },
    async ({ params: { id } }) => {
      const transaction = await node.transaction(id);
      if (transaction === undefined)
        throw notFound("TRANSACTION_NOT_FOUND", `this node never saw a transaction ${id}`);
      return transaction;
    },
  );
  app.get<{ Params: { address: string } }>(
    "/v1/accounts/:address",
    {
      schema: {
        summary: "Balance and nonce of one account",
        params: Strict({ address: Address }),
        querystring: NoQuery,
        response: answers(AccountStatus),
      },
    },
    async ({ params: { address } }) => {
      const key = decodeAddress(address);
      if (key === undefined)
        throw new ServiceError("REQUEST_INVALID", 400, `address ${address} has a wrong checksum`);
      return node.account(key);
    },
  );
}

/** Everything that only looks. */
export function addReadingRoutes(app: FastifyInstance, node: NodeService): void {
  addOverviews(app, node);
  addLists(app, node);
  addLookups(app, node);
}
