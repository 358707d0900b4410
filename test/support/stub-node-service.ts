import type { NodeEvent, NodeService, Status } from "../../src/api/index.ts";
import { devnetSpec, encodeAddress, type SealedTransaction, specToJson } from "../../src/primitives/index.ts";

export const ID_A = "a".repeat(64);
export const ID_B = "b".repeat(64);
export const PEER = "12D3KooWGRUVh8D7JjrRmwiHGdDCBiAtWqE8jMECRUqT3zTq7LsT";
export const ADDRESS: string = encodeAddress(new Uint8Array(32).fill(7));

export const stubStatus: Status = {
  version: "0.0.0-test",
  uptimeMs: 1_000,
  timeMs: 1_767_225_600_000,
  chain: ID_A,
  network: "devnet",
  node: { peer: PEER, multiaddrs: ["/ip4/127.0.0.1/tcp/4001"] },
  head: { id: ID_B, height: 12, work: "3000", parent: ID_A, timestampMs: 1_767_225_600_000 },
  tied: [],
  state: "synced",
  reason: "no peer has more work",
  sync: null,
  obstacle: null,
  firstHeight: 0,
  peers: 2,
  mempool: { transactions: 0, bytes: 0 },
  mining: { mode: "off", on: false, hashRate: 0, targetHashRate: 170, difficulty: "400", rewardTo: ADDRESS },
  reorgs: 0,
  timeline: { on: true, lastSequence: 0, problem: null },
  supply: { issued: 0, burned: 0 },
  attack: null,
};

export interface StubNodeService extends NodeService {
  /** What was asked for, in order: "addPeer /ip4/...". */
  readonly calls: string[];
  emit(event: NodeEvent): void;
  /** Events were dropped before anybody was told. */
  miss(): void;
}

/** A node that answers fixed things and remembers what it was asked to change. */
export function createStubNodeService(overrides: Partial<NodeService> = {}): StubNodeService {
  const calls: string[] = [];
  const subscribers = new Set<{
    readonly listener: (event: NodeEvent) => void;
    readonly onMissed: (() => void) | undefined;
  }>();
  const note = (...parts: unknown[]): void => void calls.push(parts.join(" "));
  return {
    calls,
    emit: (event) => subscribers.forEach(({ listener }) => void listener(event)),
    miss: () => subscribers.forEach(({ onMissed }) => void onMissed?.()),
    status: async () => stubStatus,
    genesis: () => specToJson(devnetSpec()),
    peers: async () => [],
    addPeer: async (address) => {
      note("addPeer", address);
      return { address, peer: null };
    },
    removePeer: async (peer) => {
      note("removePeer", peer);
      return peer === PEER;
    },
    links: async () => [{ peer: PEER, mode: "refuse", out: null, in: null, untilMs: null }],
    setLink: async (peer, request) => {
      note("setLink", peer, JSON.stringify(request));
      return { peer, mode: request.mode, out: null, in: null, untilMs: null };
    },
    healLink: async (peer) => {
      note("healLink", peer);
      return true;
    },
    bans: async ({ limit, after }) => {
      note("bans", limit, after ?? "-");
      return { items: [], next: null };
    },
    ban: async (peer, { forMs = 1_000, reason = "" }) => {
      note("ban", peer, forMs, reason);
      return { subject: peer, kind: "peer", sinceMs: 0, untilMs: forMs, reason, byHand: true };
    },
    doctor: async () => ({ findings: [], checked: [] }),
    releaseAttack: async () => ({ released: 0, head: { id: ID_B, height: 12, work: "3000" } }),
    unban: async (peer) => {
      note("unban", peer);
      return peer === PEER;
    },
    tips: async () => [],
    tree: async ({ depth, limit, after }) => {
      note("tree", depth, limit, after ?? "-");
      return { head: { id: ID_B, height: 12, work: "3000" }, items: [], next: null };
    },
    reorgs: async ({ limit, after }) => {
      note("reorgs", limit, after ?? "-");
      return { items: [], next: null };
    },
    timeline: async ({ limit, after, order }) => {
      note("timeline", limit, after ?? "-", order);
      return { items: [], next: null, firstSequence: 0, lastSequence: 0 };
    },
    mempool: async ({ limit, after }) => {
      note("mempool", limit, after ?? "-");
      return { items: [], next: null };
    },
    block: async () => undefined,
    invalidateBlock: async () => undefined,
    reconsiderBlock: async () => undefined,
    transaction: async () => undefined,
    findIds: async () => [],
    account: async (key) => ({
      address: encodeAddress(key),
      exists: false,
      balance: 0,
      nonce: 0,
      nextNonce: 0,
      pending: 0,
      head: { id: ID_B, height: 12 },
    }),
    accountProof: async () => undefined,
    accountHistory: async (_key, { limit, after }) => {
      note("accountHistory", limit, after ?? "-");
      return { items: [], next: null, indexedHeight: 12, firstHeight: 0, head: { id: ID_B, height: 12 } };
    },
    submit: async (transactions: readonly SealedTransaction[]) => {
      note("submit", transactions.length);
      return transactions.map(({ txid, transaction }) =>
        transaction.body.nonce === 13
          ? { id: txid, accepted: false, code: "TX-NONCE", message: "nonce 13 is unlucky" }
          : { id: txid, accepted: true },
      );
    },
    mineBlocks: async (count) => {
      note("mineBlocks", count);
      return Array.from({ length: count }, () => ID_B);
    },
    mineContinuously: async (hashRate) => note("mineContinuously", hashRate),
    stopMining: async () => note("stopMining"),
    backup: async () => (async function* () {})(),
    mining: async () => stubStatus.mining,
    subscribe(listener, onMissed) {
      const subscriber = { listener, onMissed };
      subscribers.add(subscriber);
      return () => subscribers.delete(subscriber);
    },
    ...overrides,
  };
}
