import { NODE_FINDINGS } from "./schemas/doctor.ts";
import type {
  AccountHistory,
  AccountProof,
  AccountStatus,
  AddedPeer,
  AddPeer,
  Arrival,
  Ban,
  BanRequest,
  BlockDetail,
  BlockMark,
  BlockRef,
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
  SubmitBatch,
  SubmitResult,
  TimelinePage,
  Tip,
  TransactionJson,
  TransactionStatus,
  Tree,
} from "./schemas/index.ts";

/** Values for OpenAPI, as a small network would give them. Tests hold each to its schema. */

const CHAIN = "3f1c0d9e5b7a48216c0e9d3fa5b81c74e2d6f09a8b3c5d7e1f20496b8dac5e37";
const ID = "00207f959d17a6b1c44bd9a8d5dc0d2a8f4a0a1c5e7d13f9be5a6c0d92f8b7e4";
const PARENT = "003e5f7fcd47918b2d6a0c4e7f5b39d1a8c6e20f4b7d9135c8e0a2f6d4b81c93";
const OTHER = "00303737ce5e0d4f8a6b2c19e7d35f80a4c2b6e891d70f3c5a8e4b6d20f9c71a";
const TRANSACTION = "4aabfb1066663be50163df02cd531d71871b5c2c27758ee7180fcc00bf7ad6da";
const ZERO = "0".repeat(64);
const ALICE = "cum1fucz4zva340hzhalx5kkct3m73pvfd424q748e2u7nx40crzg2qslydvrx";
const BOB = "cum1zderl6mvh5jjc46ntx5avf3qyhuma5l604pmv9q5ymqd7snhdt2st6evrk";
const PEER = "12D3KooWGRUVh8D7JjrRmwiHGdDCBiAtWqE8jMECRUqT3zTq7LsT";
const ADDRESS = "/ip4/192.0.2.7/tcp/4001";
const TIME = 1_795_582_430_901;

const arrival: Arrival = {
  headerMs: TIME - 1_400,
  headerPeer: PEER,
  bodyMs: TIME - 1_390,
  bodyPeer: PEER,
  via: "gossip",
};

const page = <Item>(...items: Item[]): Page<Item> => ({ items, next: null });
const head: BlockRef = { id: ID, height: 7, work: "1c00" };
const oldHead: BlockRef = { id: OTHER, height: 5, work: "1400" };
const forkPoint: BlockRef = { id: PARENT, height: 4, work: "1000" };

const transaction: TransactionJson = {
  chain: CHAIN,
  sender: ALICE,
  nonce: 3,
  fee: 10_205,
  expiry: 100,
  action: { kind: "transfer", to: BOB, amount: 100_000_000, memo: "" },
  signature: "5a".repeat(64),
};
const mining: Status["mining"] = {
  mode: "continuous",
  on: true,
  hashRate: 511.5,
  targetHashRate: 512,
  difficulty: "400",
  rewardTo: ALICE,
};
const status: Status = {
  version: "0.1.0",
  uptimeMs: 61_000,
  timeMs: TIME,
  chain: CHAIN,
  network: "devnet",
  node: { peer: PEER, multiaddrs: [`/ip4/127.0.0.1/tcp/4001/p2p/${PEER}`] },
  head: { ...head, parent: PARENT, timestampMs: TIME - 1_500 },
  tied: [],
  state: "synced",
  reason: "2 peers claim no more work; the head is 2 s old",
  sync: null,
  obstacle: null,
  firstHeight: 0,
  peers: 2,
  mempool: { transactions: 1, bytes: 205 },
  mining,
  reorgs: 1,
  timeline: { on: true, lastSequence: 2, problem: null },
  supply: { issued: 35_000_000_000, burned: 10_000 },
  attack: null,
};
const peer: Peer = {
  peer: PEER,
  state: "connected",
  configured: true,
  address: ADDRESS,
  direction: "outbound",
  sinceMs: TIME - 60_000,
  head,
  problem: null,
  score: 0,
};
const tip: Tip = {
  ...head,
  timestampMs: TIME - 1_500,
  state: "head",
  forkPoint: { id: ID, height: 7 },
  length: 0,
};
const tree: Tree = {
  head,
  items: [
    {
      ...head,
      parent: PARENT,
      difficulty: "400",
      timestampMs: TIME - 1_500,
      proposer: ALICE,
      transactions: 1,
      sizeBytes: 217,
      state: "best",
      hasBody: true,
      arrival,
    },
  ],
  next: null,
};
const reorg: Reorg = {
  id: "1",
  node: PEER,
  oldHead,
  newHead: head,
  forkPoint,
  depth: 1,
  blocksOut: [{ id: OTHER, height: 5, transactions: 1 }],
  blocksIn: [{ id: ID, height: 5, transactions: 0 }],
  blocksInCount: 1,
  cause: { peer: PEER, message: "gossip", block: ID, arrival },
  receivedMs: TIME,
  startedMs: TIME + 1,
  durationMs: 4.5,
  transactions: [{ id: TRANSACTION, fate: "returned" }],
  transactionCount: 1,
};
const timeline: TimelinePage = {
  items: [
    {
      sequence: 1,
      timeMs: TIME - 1_400,
      type: "header",
      data: {
        ...head,
        parent: PARENT,
        difficulty: "400",
        timestampMs: TIME - 1_500,
        proposer: ALICE,
        peer: PEER,
        via: "gossip",
      },
    },
    {
      sequence: 2,
      timeMs: TIME - 1_389,
      type: "head",
      data: {
        ...head,
        parent: PARENT,
        timestampMs: TIME - 1_500,
        mempool: { transactions: 1, bytes: 205 },
      },
    },
  ],
  next: null,
  firstSequence: 1,
  lastSequence: 2,
};
const pending: PendingTransaction = {
  id: TRANSACTION,
  sender: ALICE,
  to: BOB,
  amount: 100_000_000,
  fee: 10_205,
  nonce: 3,
  sizeBytes: 205,
  receivedMs: TIME,
  ready: true,
};
const block: BlockDetail = {
  ...head,
  parent: PARENT,
  difficulty: "400",
  timestampMs: TIME - 1_500,
  proposer: ALICE,
  sizeBytes: 217,
  state: "best",
  arrival,
  rulesVersion: 1,
  nonce: 1_204,
  transactionsRoot: TRANSACTION,
  stateRoot: OTHER,
  engineRoot: ZERO,
  extra: ZERO,
  depth: 1,
  transactions: [{ id: TRANSACTION, transaction }],
};
const known: TransactionStatus = {
  id: TRANSACTION,
  fate: { state: "mined", block: ID, height: 7, depth: 1 },
  transaction,
  sizeBytes: 205,
  events: [
    { timeMs: TIME - 9_000, what: "received" },
    { timeMs: TIME - 1_500, what: "mined", block: ID, height: 7 },
  ],
};
const account: AccountStatus = {
  address: ALICE,
  exists: true,
  balance: 34_899_989_795,
  nonce: 4,
  nextNonce: 4,
  pending: 0,
  head: { id: ID, height: 7 },
};
const proof: AccountProof = {
  address: ALICE,
  index: 0,
  balance: 34_899_989_795,
  nonce: 4,
  siblings: Array.from({ length: 42 }, () => ZERO),
  block: { id: ID, height: 7 },
};
const history: AccountHistory = {
  items: [
    {
      direction: "out",
      transaction: TRANSACTION,
      counterpart: BOB,
      amount: 100_000_000,
      fee: 10_205,
      height: 7,
      block: ID,
      timestampMs: TIME - 1_500,
    },
    {
      direction: "reward",
      transaction: null,
      counterpart: null,
      amount: 5_000_000_000,
      fee: 0,
      height: 6,
      block: PARENT,
      timestampMs: TIME - 3_400,
    },
  ],
  next: "6-4294967295",
  indexedHeight: 7,
  firstHeight: 0,
  head: { id: ID, height: 7 },
};
const submission: Submission = { id: TRANSACTION, accepted: true };
const refused: Submission = {
  id: OTHER,
  accepted: false,
  code: "TX-08",
  message: "nonce 2 is used; the sender's next is 4",
  details: { nextNonce: 4 },
};
const result: SubmitResult = { items: [submission, refused], accepted: 1, refused: 1 };
const batch: SubmitBatch = { transactions: [transaction] };
const mined: MiningResult = { mining, blocks: [ID] };
const count: MiningRequest = { mode: "blocks", count: 1 };
const continuous: MiningRequest = { mode: "continuous", hashRate: 512 };
const off: MiningRequest = { mode: "off" };
const addPeer: AddPeer = { address: ADDRESS };
const added: AddedPeer = { address: ADDRESS, peer: null };
const mark: BlockMark = {
  id: OTHER,
  height: 5,
  state: "side",
  changed: true,
  marks: [OTHER],
  head,
  reorg: "2",
};
const link: Link = { peer: PEER, mode: "refuse", out: null, in: null, untilMs: null };
const shape: LinkRequest = {
  mode: "shape",
  out: { delayMs: 80, jitterMs: 20, lossRatio: 0.05 },
  forMs: 30_000,
};
const shaped: Link = {
  peer: PEER,
  mode: "shape",
  out: { delayMs: 80, jitterMs: 20, lossRatio: 0.05 },
  in: null,
  untilMs: TIME + 30_000,
};
const ban: Ban = {
  subject: PEER,
  kind: "peer",
  sinceMs: TIME,
  untilMs: TIME + 86_400_000,
  reason: "spam",
  byHand: true,
};
const banRequest: BanRequest = { forMs: 86_400_000, reason: "spam" };
const done = { done: true };

const eventText = (n: number, event: string, data: unknown): string =>
  `id: miq1k9s2-${n}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

export const examples = {
  doctor: {
    findings: [
      {
        code: "NO_PEERS",
        severity: "problem",
        summary: "no peer is connected, and none is configured: this node sees nobody's blocks but its own",
        advice: "cumulo peer add MULTIADDR, or start it with --peer MULTIADDR",
        details: {},
      },
    ],
    checked: [...NODE_FINDINGS],
  },
  attackRelease: { released: 6, head },
  status,
  genesis: { name: "devnet", engine: "pow", difficultyBits: 10, intervalMs: 2_000 },
  peers: page(peer),
  links: page(link),
  tips: page(tip),
  tree,
  reorgs: page(reorg),
  timeline,
  bans: page(ban),
  mempool: page(pending),
  block,
  transaction: known,
  account,
  proof,
  history,
  transfer: transaction,
  batch,
  submission,
  batchResult: result,
  mined,
  miningOff: { mining: { ...mining, mode: "off", on: false } satisfies Status["mining"], blocks: [] },
  count,
  continuous,
  off,
  addPeer,
  added,
  mark,
  refuse: { mode: "refuse" },
  shape,
  link,
  shaped,
  banRequest,
  ban,
  done,
  events: `${eventText(0, "start", { run: "miq1k9s2" })}${eventText(1, "head", { ...timeline.items[1]?.data, timeMs: TIME - 1_389, sequence: 2 })}`,
  metrics:
    "# HELP cumulo_chain_head_height Height of the head\n# TYPE cumulo_chain_head_height gauge\ncumulo_chain_head_height 7\n",
} as const;
