import { join } from "node:path";
import { type SubmitResult, transactionToJson } from "../api/index.ts";
import { ApiError, type Client } from "../client/index.ts";
import {
  createKeyStore,
  type Key,
  KeyError,
  type KeyStore,
  type NamedKey,
  type PassphraseSource,
  signTransaction,
} from "../keys/index.ts";
import { hexToBytes, type SealedTransaction } from "../primitives/index.ts";
import type { ClusterClient } from "./client.ts";
import { ClusterError, hint, quoted } from "./errors.ts";
import { groupsOf } from "./groups.ts";
import { sleep, waitUntil } from "./processes.ts";

export interface LoadOptions {
  /** Transfers a second over all nodes, 1 to `MAX_TPS`. */
  readonly tps: number;
  readonly durationMs: number;
  /** Asked for where the reward key that funds the load is encrypted. */
  readonly passphrase?: PassphraseSource;
  readonly signal?: AbortSignal;
  readonly onProgress?: (result: LoadResult) => void;
}

/** A node that was asked no further, since it did not take what it was sent. */
export interface LostNode {
  readonly node: number;
  readonly code: string;
  readonly message: string;
}

export interface LoadResult {
  /** Accepted, refused and unanswered ones. */
  readonly sent: number;
  readonly accepted: number;
  readonly refused: number;
  /** Handed to a node that did not say what became of them: it may have taken them or not. */
  readonly unanswered: number;
  readonly lost: readonly LostNode[];
  /** Blocks that were mined, because mining was off, to fund the load's keys: 0 or 1. */
  readonly blocksMined: number;
  /** Refused ones by rule code. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly durationMs: number;
  /** Ids of the accepted ones, in order. */
  readonly ids: readonly string[];
}

export const MAX_TPS = 2_000;
/** Ids are kept in memory, so the whole run is bounded too. */
export const MAX_TRANSFERS = 1_000_000;
/** Two senders a node: each keeps to one node, since a nonce must not overtake its predecessor on the way. */
const SENDERS_PER_NODE = 2;
const TICK_MS = 100;
/** Transfers of one batch; half of what the API takes at once. */
const MAX_SENT_AT_ONCE = 500;
const FUND_MS = 60_000;
const EXPIRY_BLOCKS = 1_000;

interface Network {
  readonly chain: Uint8Array;
  readonly minFeePerByte: number;
  readonly accountCreationFee: number;
}

interface Sender {
  readonly key: Key;
  readonly node: number;
  readonly client: Client;
  nonce: number;
  expiry: number;
}

function transfer(
  network: Network,
  from: Sender,
  to: Uint8Array,
  amount: number,
  creates: boolean,
): SealedTransaction {
  const sign = (fee: number) =>
    signTransaction(
      {
        chain: network.chain,
        sender: from.key.publicKey,
        nonce: from.nonce,
        fee,
        expiry: from.expiry,
        action: { selector: 0, value: { to, amount, memo: new Uint8Array() } },
      },
      from.key,
    );
  return sign(sign(0).bytes.length * network.minFeePerByte + (creates ? network.accountCreationFee : 0));
}

async function refresh(sender: Sender): Promise<void> {
  const { nextNonce, head } = await sender.client.account(sender.key.address);
  sender.nonce = nextNonce;
  sender.expiry = head.height + EXPIRY_BLOCKS;
}

/** Another load may start in the same moment. */
async function createOrLoad(store: KeyStore, name: string): Promise<NamedKey> {
  try {
    return await store.create(name);
  } catch (error) {
    if (error instanceof KeyError && error.code === "KEY_EXISTS") return await store.load(name);
    throw error;
  }
}

/** The load keys of this cluster; made once, so that what they own is not lost between runs. */
async function loadSenders(
  store: KeyStore,
  cluster: ClusterClient,
  nodes: readonly number[],
): Promise<Sender[]> {
  const known = new Set((await store.list()).keys.map(({ name }) => name));
  const senders: Sender[] = [];
  for (let i = 0; i < nodes.length * SENDERS_PER_NODE; i++) {
    const name = `load-${i + 1}`;
    const node = nodes[i % nodes.length] as number;
    const key = known.has(name) ? await store.load(name) : await createOrLoad(store, name);
    const sender = { key, node, client: cluster.node(node), nonce: 0, expiry: 0 };
    await refresh(sender);
    senders.push(sender);
  }
  return senders;
}

/** The account that rewards of a node go to, where its key lies in the node's directory and it owns something. */
async function findFunder(
  cluster: ClusterClient,
  needed: number,
  passphrase: PassphraseSource | undefined,
): Promise<Sender> {
  const { nodes } = await cluster.info();
  let most = 0;
  for (const { n, dataDir, state } of nodes) {
    if (state !== "running") continue;
    const client = cluster.node(n);
    const { mining } = await client.status();
    const { balance } = await client.account(mining.rewardTo);
    most = Math.max(most, balance);
    if (balance < needed) continue;
    const key = await createKeyStore(join(dataDir, "keys")).loadByAddress(mining.rewardTo, passphrase);
    const sender = { key, node: n, client, nonce: 0, expiry: 0 };
    await refresh(sender);
    return sender;
  }
  const message = `no node's reward key owns the ${needed} base units this load needs (the most is ${most}); mine a few blocks first: cumulo mine 5 --data ${quoted(join(cluster.directory, "node1"))}`;
  throw new ClusterError("CLUSTER_LOAD_FAILED", message);
}

/** What each transfer of a load costs at most: one base unit, and a fee for some 210 bytes. */
const transferCost = (network: Network): number => 1 + 250 * network.minFeePerByte;

/**
 * Gives each sender `amount`, and waits until every sender sees it at its own node. Settles with how many blocks were
 * mined for it.
 */
async function fund(
  cluster: ClusterClient,
  network: Network,
  senders: readonly Sender[],
  { amount, passphrase }: { readonly amount: number; readonly passphrase: PassphraseSource | undefined },
): Promise<number> {
  // What an earlier load left pending is paid from the same balance.
  const hasEnough = async ({ client, key }: Sender): Promise<boolean> => {
    const { balance, pending } = await client.account(key.address);
    return balance - pending * transferCost(network) >= amount;
  };
  const enough = await Promise.all(senders.map(hasEnough));
  const poor = senders.filter((_, i) => enough[i] === false);
  if (poor.length === 0) return 0;
  if (groupsOf(await cluster.snapshot()).length > 1) {
    const message = `the load's keys need coins first, which do not reach every node of a split cluster; heal it with ${hint("heal", cluster.directory)}, or make load before the split`;
    throw new ClusterError("CLUSTER_LOAD_FAILED", message);
  }
  const funder = await findFunder(
    cluster,
    poor.length * (amount + network.accountCreationFee + 1_000 * network.minFeePerByte),
    passphrase,
  );
  for (const { key } of poor) {
    const creates = !(await funder.client.account(key.address)).exists;
    await funder.client.submit(transfer(network, funder, key.publicKey, amount, creates).bytes);
    funder.nonce++;
  }
  // With mining off nothing would confirm the funding, so one block is mined for it.
  const statuses = await cluster.snapshot();
  const blocksMined = statuses.some(({ status }) => status?.mining.on) ? 0 : 1;
  if (blocksMined > 0) await funder.client.mining({ mode: "blocks", count: blocksMined });
  const funded = async (): Promise<boolean> => (await Promise.all(poor.map(hasEnough))).every(Boolean);
  if (await waitUntil(funded, FUND_MS)) return blocksMined;
  const message = `the load's keys were not funded within ${FUND_MS / 1_000} s; is the cluster split, or is nothing mined?`;
  throw new ClusterError("CLUSTER_LOAD_FAILED", message);
}

/** Signs the next `count` transfers of one sender and hands them to its node in one batch. */
function sendBatch(network: Network, sender: Sender, to: Uint8Array, count: number): Promise<SubmitResult> {
  const batch: SealedTransaction[] = [];
  for (let i = 0; i < count; i++) {
    batch.push(transfer(network, sender, to, 1, false));
    sender.nonce++;
  }
  return sender.client.submitBatch(batch.map(transactionToJson));
}

type Counts = { -readonly [Name in keyof LoadResult]: LoadResult[Name] } & {
  ids: string[];
  lost: LostNode[];
  refusals: Record<string, number>;
};

function addUp(total: Counts, result: SubmitResult): void {
  for (const { id, accepted, code = "REFUSED" } of result.items) {
    if (accepted) total.ids.push(id);
    else total.refusals[code] = (total.refusals[code] ?? 0) + 1;
  }
  total.sent += result.items.length;
  total.accepted += result.accepted;
  total.refused += result.refused;
}

/** One turn of one sender, counted. A node that fails is noted as lost: the others carry the load on. */
async function takeTurn(
  network: Network,
  sender: Sender,
  batch: { readonly to: Uint8Array; readonly count: number },
  total: Counts,
): Promise<void> {
  const before = total.sent;
  try {
    const result = await sendBatch(network, sender, batch.to, batch.count);
    addUp(total, result);
    // A refused one leaves a gap behind it, so the node is asked where to go on.
    if (result.refused > 0) await refresh(sender);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (total.sent === before) {
      total.sent += batch.count;
      total.unanswered += batch.count;
    }
    const { code, message } = error;
    total.lost.push({ node: sender.node, code, message });
  }
}

async function openNetwork(client: Client): Promise<Network> {
  const [status, genesis] = await Promise.all([client.status(), client.genesis()]);
  return {
    chain: hexToBytes(status.chain),
    minFeePerByte: Number(genesis["minFeePerByte"]),
    accountCreationFee: Number(genesis["accountCreationFee"]),
  };
}

/**
 * Sends signed transfers of one base unit through all running nodes, at a steady rate, and counts what they say. What a
 * node that dies meanwhile leaves unanswered is counted too. Fails with a `ClusterError` when the keys cannot be funded.
 */
export async function runLoad(cluster: ClusterClient, options: LoadOptions): Promise<LoadResult> {
  const total = Math.ceil((options.tps * options.durationMs) / 1_000);
  if (!(options.tps > 0 && options.tps <= MAX_TPS && total <= MAX_TRANSFERS)) {
    throw new ClusterError(
      "CLUSTER_LOAD_FAILED",
      `a load is at most ${MAX_TPS} transfers a second and ${MAX_TRANSFERS} in all`,
    );
  }
  const running = (await cluster.info()).nodes.filter(({ state }) => state === "running").map(({ n }) => n);
  const [first] = running;
  if (first === undefined) throw new ClusterError("CLUSTER_NOT_RUNNING", "no node of the cluster runs");
  const network = await openNetwork(cluster.node(first));
  const senders = await loadSenders(createKeyStore(join(cluster.directory, "keys")), cluster, running);
  // An equal share each, however unevenly the clock calls them: none sends more than it was funded for.
  const share = Math.ceil(total / senders.length);
  const left = new Map(senders.map((sender) => [sender, share]));
  const amount = share * transferCost(network);
  const { passphrase } = options;
  const blocksMined = await fund(cluster, network, senders, { amount, passphrase });
  await Promise.all(senders.map(refresh));

  const startMs = performance.now();
  const counts = { sent: 0, accepted: 0, refused: 0, unanswered: 0, durationMs: 0, blocksMined };
  const result: Counts = { ...counts, lost: [], refusals: {}, ids: [] };
  for (let turn = 0; result.sent < total && !options.signal?.aborted; turn++) {
    const elapsedMs = performance.now() - startMs;
    // What the clock says is due; a slow node makes us late, never faster than asked.
    const due = Math.min(total, Math.ceil((options.tps * elapsedMs) / 1_000)) - result.sent;
    const sender = senders[turn % senders.length] as Sender;
    const recipient = senders[(turn + 1) % senders.length] as Sender;
    const count = Math.min(due, MAX_SENT_AT_ONCE, left.get(sender) ?? 0);
    if (count > 0) {
      left.set(sender, (left.get(sender) ?? 0) - count);
      await takeTurn(network, sender, { to: recipient.key.publicKey, count }, result);
      result.durationMs = performance.now() - startMs;
      options.onProgress?.(result);
    }
    for (const { node } of result.lost) for (const one of senders) if (one.node === node) left.delete(one);
    if ([...left.values()].every((some) => some === 0)) break;
    if (elapsedMs > 2 * options.durationMs + 10_000) break; // The nodes take less than asked: stop and say so.
    await sleep(TICK_MS);
  }
  return result;
}
