import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import Type from "typebox";
import { Address, Amount, NoQuery, ServiceError, Strict } from "../api/index.ts";
import { ApiError, type Client } from "../client/index.ts";
import { createKeyStore, KeyError, type NamedKey, signTransaction } from "../keys/index.ts";
import { decodeAddress, hexToBytes } from "../primitives/index.ts";
import { ClusterError } from "./errors.ts";
import type { Fleet } from "./fleet.ts";
import type { Member } from "./member.ts";
import { told } from "./told.ts";

const EXPIRY_BLOCKS = 1_000;

const SendRequest = Strict({
  /** Whose reward key pays; default: that of the node it is handed to. */
  from: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: "the number of a node" })),
  to: Address,
  amount: Amount,
});
type SendRequest = Type.Static<typeof SendRequest>;

export interface SentTransaction {
  readonly id: string;
  readonly nonce: number;
  readonly fee: number;
}

/** The key that a node's rewards go to, out of the node's directory. */
async function rewardKey(payer: Member): Promise<NamedKey> {
  const { mining } = await payer.client().status();
  return createKeyStore(join(payer.dataDir, "keys")).loadByAddress(mining.rewardTo);
}

async function sign(client: Client, key: NamedKey, to: string, amount: number) {
  const [status, genesis, sender, recipient] = await Promise.all([
    client.status(),
    client.genesis(),
    client.account(key.address),
    client.account(to),
  ]);
  const seal = (fee: number) =>
    signTransaction(
      {
        chain: hexToBytes(status.chain),
        sender: key.publicKey,
        nonce: sender.nextNonce,
        fee,
        expiry: status.head.height + EXPIRY_BLOCKS,
        action: {
          selector: 0,
          value: { to: decodeAddress(to) as Uint8Array, amount, memo: new Uint8Array() },
        },
      },
      key,
    );
  const creation = recipient.exists ? 0 : Number(genesis["accountCreationFee"] ?? 0);
  return seal(seal(0).bytes.length * Number(genesis["minFeePerByte"] ?? 0) + creation);
}

/**
 * Pays from one node's rewards and hands the transaction to a node, with the nonce that this node would have: on two
 * sides of a split the same coins can be spent twice.
 */
export async function sendFromRewards(
  payer: Member,
  taker: Member,
  { to, amount }: { readonly to: string; readonly amount: number },
): Promise<SentTransaction> {
  if (decodeAddress(to) === undefined)
    throw new ClusterError("CLUSTER_SEND_FAILED", `address ${to} has a wrong checksum`);
  const client = taker.client();
  try {
    const sealed = await sign(client, await rewardKey(payer), to, amount);
    await client.submit(sealed.bytes);
    return { id: sealed.txid, nonce: sealed.nonce, fee: sealed.fee };
  } catch (error) {
    if (error instanceof ApiError)
      throw new ServiceError(error.code, error.status || 502, error.message, { details: error.details });
    if (error instanceof KeyError)
      throw new ClusterError(
        "CLUSTER_SEND_FAILED",
        `the reward key of node ${payer.n} cannot be used: ${error.message}`,
      );
    throw error;
  }
}

/** `POST /v1/cluster/nodes/{n}/send`: for the dashboard, which has no keys. */
export function addSendRoute(app: FastifyInstance, fleet: Fleet): void {
  app.post<{ Params: { n: string }; Body: SendRequest }>(
    "/v1/cluster/nodes/:n/send",
    {
      schema: {
        summary: "Pays from a node's rewards, by a transaction that is handed to node n",
        querystring: NoQuery,
        body: SendRequest,
      },
    },
    ({ params, body: { from, to, amount } }) =>
      told(
        (async () => {
          const taker = fleet.member(/^[1-9]\d{0,3}$/.test(params.n) ? Number(params.n) : 0);
          const payer = from === undefined ? taker : fleet.member(from);
          for (const member of [taker, payer]) {
            const ended = member.ended();
            if (ended !== undefined) throw ended;
          }
          return sendFromRewards(payer, taker, { to, amount });
        })(),
      ),
  );
}
