import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply } from "fastify";
import Type from "typebox";
import { delay, type Timer, type Timers } from "../../ports/index.ts";
import { type BlockId, decodeTransaction, type SealedTransaction } from "../../primitives/index.ts";
import {
  AddedPeer,
  AddPeer,
  AttackRelease,
  Ban,
  BanRequest,
  BlockMark,
  ErrorBody,
  Link,
  LinkRequest,
  MiningRequest,
  MiningResult,
  Multiaddr,
  PeerName,
  Strict,
  Submission,
  SubmitBatch,
  SubmitResult,
  TransactionJson,
} from "../schemas/index.ts";
import { type NodeService, ServiceError } from "../service.ts";
import { transactionFromJson } from "../transaction-json.ts";
import { check, fits, invalidRequest } from "../validation.ts";
import { answers, BlockName, ofBlockNamed } from "./reading.ts";

export interface ChangingDeps {
  readonly node: NodeService;
  readonly timers: Timers;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
}

/** How long a request for counted blocks may take when it does not say. */
const DEFAULT_MINE_TIMEOUT_MS = 60_000;

/** How long a client may take nothing of a backup, ms. */
const UNTAKEN_MS = 60_000;

const Done = Strict({ done: Type.Boolean({ description: "false when there was nothing to do" }) });
/** A JSON body of 1,000 transactions has 0.7 MB; headroom for long memos. */
export const MAX_BODY_BYTES = 2 * 1024 * 1024;

function seal(json: TransactionJson, where: string): SealedTransaction {
  const parsed = transactionFromJson(json);
  if (parsed.ok) return parsed.transaction;
  throw invalidRequest(`${where}${parsed.problem}`);
}

/** One transaction out of a body: SSZ bytes, or JSON. */
function readOne(body: unknown): SealedTransaction {
  if (Buffer.isBuffer(body)) {
    const transaction = decodeTransaction(new Uint8Array(body));
    if (transaction !== undefined) return transaction;
    throw invalidRequest(`these ${body.length} bytes are not the SSZ form of one transaction`);
  }
  check(TransactionJson, body);
  return seal(body as TransactionJson, "");
}

function readBatch(body: object): SealedTransaction[] {
  check(SubmitBatch, body);
  return (body as SubmitBatch).transactions.map((json, i) => seal(json, `transactions[${i}].`));
}

async function submitOne(node: NodeService, transaction: SealedTransaction): Promise<Submission> {
  const [verdict] = await node.submit([transaction]);
  if (verdict === undefined) throw new Error("submit answers one verdict per transaction");
  if (verdict.accepted) return verdict;
  const message = verdict.message ?? "the transaction was refused";
  throw new ServiceError(verdict.code ?? "TRANSACTION_REFUSED", 422, message, {
    details: { id: verdict.id, ...verdict.details },
  });
}

/** In a scope of its own, so that no other route takes bytes. */
function addTransactions(app: FastifyInstance, node: NodeService): void {
  app.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_request, body, done) =>
    done(null, body),
  );
  const summary =
    'Submits one transaction (JSON, or SSZ as application/octet-stream) or a batch ({ "transactions": [...] })';
  app.post(
    "/v1/transactions",
    {
      bodyLimit: MAX_BODY_BYTES,
      schema: { summary, response: answers(Type.Union([Submission, SubmitResult])) },
    },
    async ({ body }) => {
      if (typeof body !== "object" || body === null || !("transactions" in body))
        return submitOne(node, readOne(body));
      const items = await node.submit(readBatch(body));
      const accepted = items.filter((item) => item.accepted).length;
      return { items, accepted, refused: items.length - accepted };
    },
  );
}

/** Aborted when the client goes away, the server closes, or the time is up. */
function deadline(deps: ChangingDeps, reply: FastifyReply, timeoutMs: number) {
  const abort = new AbortController();
  const onClose = (): void => abort.abort();
  reply.raw.on("close", onClose);
  deps.closing.addEventListener("abort", onClose, { once: true });
  if (deps.closing.aborted) abort.abort();
  void delay(deps.timers, timeoutMs, abort.signal).then(onClose, () => {});
  return {
    signal: abort.signal,
    end(): void {
      reply.raw.off("close", onClose);
      deps.closing.removeEventListener("abort", onClose);
      abort.abort();
    },
  };
}

async function mineBlocks(
  deps: ChangingDeps,
  reply: FastifyReply,
  count: number,
  timeoutMs: number,
): Promise<BlockId[]> {
  const { signal, end } = deadline(deps, reply, timeoutMs);
  // Nothing is said before the blocks are there, and that has a deadline of its own.
  reply.request.raw.socket.setTimeout(0);
  try {
    const blocks = await deps.node.mineBlocks(count, signal);
    if (blocks.length >= count) return blocks;
    const message = `${blocks.length} of ${count} blocks were mined in ${timeoutMs} ms; ask for the rest, or for fewer at a time`;
    throw new ServiceError("MINING_TIMEOUT", 504, message, { details: { blocks } });
  } finally {
    end();
  }
}

function addMining(app: FastifyInstance, deps: ChangingDeps): void {
  const { node } = deps;
  app.post<{ Body: MiningRequest }>(
    "/v1/mining",
    {
      schema: {
        summary: "Mines counted blocks (answers when they are connected), continuously, or not at all",
        body: MiningRequest,
        response: answers(MiningResult),
      },
    },
    async ({ body }, reply) => {
      let blocks: BlockId[] = [];
      if (body.mode === "off") await node.stopMining();
      else if (body.mode === "continuous") await node.mineContinuously(body.hashRate);
      else blocks = await mineBlocks(deps, reply, body.count, body.timeoutMs ?? DEFAULT_MINE_TIMEOUT_MS);
      return { mining: await node.mining(), blocks };
    },
  );
}

function addPeers(app: FastifyInstance, node: NodeService): void {
  app.post<{ Body: AddPeer }>(
    "/v1/peers",
    {
      schema: {
        summary: "Adds a configured peer: dialled now and redialled for ever",
        body: AddPeer,
        response: answers(AddedPeer),
      },
    },
    ({ body }) => node.addPeer(body.address),
  );
  app.delete<{ Params: { peer: string } }>(
    "/v1/peers/:peer",
    {
      schema: {
        summary: "Forgets a configured peer, by name or percent-encoded multiaddr",
        response: answers(Done),
      },
    },
    async ({ params: { peer } }) => {
      if (!fits(PeerName, peer) && !fits(Multiaddr, peer)) {
        const message = `peer must be a peer's name or a multiaddr, not ${JSON.stringify(peer.slice(0, 80))}`;
        throw invalidRequest(message, { at: "peer" });
      }
      if (await node.removePeer(peer)) return { done: true };
      throw new ServiceError(
        "PEER_NOT_FOUND",
        404,
        `${peer} is not a configured peer; GET /v1/peers lists them`,
        { details: { peer } },
      );
    },
  );
}

function addBlockMarks(app: FastifyInstance, node: NodeService): void {
  const schema = (summary: string) => ({
    schema: { summary, params: Strict({ block: BlockName }), response: answers(BlockMark) },
  });
  app.post<{ Params: { block: string } }>(
    "/v1/blocks/:block/invalidate",
    schema("Sets a block and its descendants aside, and goes to the best branch that remains"),
    ({ params }) => ofBlockNamed(node, params.block, node.invalidateBlock),
  );
  app.post<{ Params: { block: string } }>(
    "/v1/blocks/:block/reconsider",
    schema("Takes such marks from a block, its ancestors and its descendants, and goes to the best branch"),
    ({ params }) => ofBlockNamed(node, params.block, node.reconsiderBlock),
  );
}

function addLinks(app: FastifyInstance, node: NodeService): void {
  const params = Strict({ peer: PeerName });
  app.put<{ Params: { peer: string }; Body: LinkRequest }>(
    "/v1/links/:peer",
    {
      schema: {
        summary:
          "Refuses all connections with a peer, both ways, or shapes what is sent to it and read from it, until DELETE or for a time",
        params,
        body: LinkRequest,
        response: answers(Link),
      },
    },
    ({ params: { peer }, body }) => node.setLink(peer, body),
  );
  app.delete<{ Params: { peer: string } }>(
    "/v1/links/:peer",
    { schema: { summary: "Makes the link to a peer whole, and redials", params, response: answers(Done) } },
    async ({ params: { peer } }) => ({ done: await node.healLink(peer) }),
  );
}

function addBans(app: FastifyInstance, node: NodeService): void {
  const params = Strict({
    peer: Type.String({
      minLength: 2,
      maxLength: 400,
      description: "a peer's name, an IP address or a multiaddr",
    }),
  });
  app.put<{ Params: { peer: string }; Body: BanRequest }>(
    "/v1/bans/:peer",
    {
      schema: {
        summary:
          "Keeps a peer away for a time, by name, or all at an IP address; a multiaddr is percent-encoded",
        params,
        body: BanRequest,
        response: answers(Ban),
      },
    },
    ({ params: { peer }, body }) => node.ban(peer, body),
  );
  app.delete<{ Params: { peer: string } }>(
    "/v1/bans/:peer",
    { schema: { summary: "Ends a ban, by hand or for faults", params, response: answers(Done) } },
    async ({ params: { peer } }) => ({ done: await node.unban(peer) }),
  );
}

/** Ends a stream that nobody takes anything from: a backup keeps old data on the disk. */
async function* whileTaken(
  deps: ChangingDeps,
  source: AsyncIterable<Uint8Array>,
  giveUp: () => void,
): AsyncGenerator<Uint8Array> {
  let timer: Timer | undefined;
  try {
    for await (const bytes of source) {
      timer = deps.timers.set(UNTAKEN_MS, giveUp);
      yield bytes;
      deps.timers.clear(timer);
    }
  } finally {
    if (timer !== undefined) deps.timers.clear(timer);
  }
}

function addBackup(app: FastifyInstance, deps: ChangingDeps): void {
  const summary = "Backs the chain up as it is now, without keys; the answer is the file";
  app.post(
    "/v1/backup",
    { schema: { summary, response: { "4xx": ErrorBody, "5xx": ErrorBody } } },
    async (_request, reply) => {
      const source = await deps.node.backup();
      const stream: Readable = Readable.from(whileTaken(deps, source, () => stream.destroy()));
      // Also where it is never read from.
      stream.once("close", () => void source.return?.());
      return reply.type("application/octet-stream").send(stream);
    },
  );
}

function addAttack(app: FastifyInstance, node: NodeService): void {
  const summary = "Shows peers the blocks that a node started with --attack has held back";
  app.post("/v1/attack/release", { schema: { summary, response: answers(AttackRelease) } }, () =>
    node.releaseAttack(),
  );
}

/** Everything that changes the node. The access check has asked for the token before any of these runs. */
export function addChangingRoutes(app: FastifyInstance, deps: ChangingDeps): void {
  app.register((scope, _options, done) => {
    addTransactions(scope, deps.node);
    done();
  });
  addMining(app, deps);
  addPeers(app, deps.node);
  addBlockMarks(app, deps.node);
  addBackup(app, deps);
  addLinks(app, deps.node);
  addBans(app, deps.node);
  addAttack(app, deps.node);
}
