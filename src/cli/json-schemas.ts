import Type from "typebox";
import {
  AccountHistory,
  AccountProof,
  AccountStatus,
  AddedPeer,
  Address,
  Amount,
  AttackRole,
  Ban,
  BlockDetail,
  BlockMark,
  Count,
  Fate,
  Finding,
  Head,
  Height,
  Id,
  MiningResult,
  Multiaddr,
  NodeEvents,
  Peer,
  PeerName,
  Reorg,
  Shape,
  Status,
  StreamNoteSchemas,
  Strict,
  TimeMs,
  Tip,
  TransactionStatus,
} from "../api/index.ts";
import { RunOutput, ScenarioList } from "./report-schema.ts";

/** What one command prints with --json. */
export interface JsonOutput {
  readonly schema: Type.TSchema;
  /** One value a line, for as long as the command runs; else one in all. */
  readonly isStream?: boolean;
}

const Text = Type.String();
const Done = Strict({ done: Type.Boolean() });
const KeyEntry = Strict({ name: Text, address: Address, encrypted: Type.Boolean() });
const DamagedKey = Strict({ name: Text, file: Text, problem: Text });

const BackupHead = Strict({ id: Id, height: Height });

const NodeState = Type.Enum(["starting", "running", "paused", "ended"]);
const NodeNumber = Type.Integer({ minimum: 1 });
const Groups = Type.Array(Type.Array(NodeNumber));
const UntilMs = Type.Union([TimeMs, Type.Null()]);
const ClusterSplit = Strict({
  groups: Groups,
  names: Type.Union([Type.Array(Text), Type.Null()]),
  sinceMs: TimeMs,
  untilMs: UntilMs,
});
const Healing = Strict({
  healedMs: TimeMs,
  convergedMs: Type.Union([TimeMs, Type.Null()]),
  timeMs: Type.Union([Count, Type.Null()]),
});
const ClusterLink = Strict({ from: NodeNumber, to: NodeNumber, shape: Shape, untilMs: UntilMs });
const NodeView = Strict({
  n: NodeNumber,
  pid: Count,
  state: NodeState,
  /** Of an ended node: its exit code or signal, and how that came. */
  exit: Type.Union([Text, Type.Null()]),
  why: Type.Union([Text, Type.Null()]),
  api: Text,
  peer: Text,
  multiaddrs: Type.Array(Text),
  dataDir: Text,
  attack: Type.Union([AttackRole, Type.Null()]),
});
const NodeSnapshot = Strict({
  n: NodeNumber,
  pid: Count,
  api: Text,
  peer: Text,
  state: NodeState,
  why: Type.Union([Text, Type.Null()]),
  attack: Type.Union([AttackRole, Type.Null()]),
  /** Missing where the node did not answer. */
  status: Type.Optional(Status),
  /** Peers that it refuses. */
  refuses: Type.Array(PeerName),
});

const event = (type: string, data: Type.TSchema) => Strict({ id: Text, type: Type.Literal(type), data });
const WatchedEvent = Type.Union([
  ...Object.entries(NodeEvents).map(([type, data]) => event(type, data)),
  event("gap", StreamNoteSchemas.gap),
  /** With --dir: an entry of any of its nodes, or of the cluster itself. */
  event(
    "entry",
    Type.Object({
      place: Count,
      timeMs: Count,
      node: Type.Union([Count, Type.Null()]),
      type: Text,
      data: Type.Unknown(),
    }),
  ),
]);

const Diagnosis = Strict({
  /** The node's API or directory, or the cluster's. */
  subject: Text,
  problems: Count,
  /** Of a cluster, `node` says which one; null: the whole. */
  findings: Type.Array(
    Strict({ ...Finding.properties, node: Type.Optional(Type.Union([NodeNumber, Type.Null()])) }),
  ),
  checked: Type.Array(Text),
});

const one = (schema: Type.TSchema): JsonOutput => ({ schema });
const many = (schema: Type.TSchema): JsonOutput => ({ schema: Type.Array(schema) });
const stream = (schema: Type.TSchema): JsonOutput => ({ schema, isStream: true });
const node = one(NodeView);
const key = one(KeyEntry);

/** By the words of a command. A test demands one of each command, and holds what commands print to them. */
export const JSON_OUTPUTS: Readonly<Record<string, JsonOutput>> = {
  "node init": one(Strict({ data: Text, genesis: Text, network: Text })),
  "node start": one(Strict({ pid: Count, api: Text, multiaddrs: Type.Array(Multiaddr), data: Text })),
  "genesis new": one(Strict({ file: Text, genesis: Type.Record(Text, Type.Unknown()) })),
  status: one(Status),
  doctor: one(Diagnosis),
  "cluster doctor": one(Diagnosis),
  peers: many(Peer),
  "peer add": one(AddedPeer),
  "peer remove": one(Done),
  "peer ban": one(Ban),
  "peer unban": one(Done),
  "peer bans": many(Ban),
  tips: many(Tip),
  reorgs: many(Reorg),
  block: one(BlockDetail),
  "block invalidate": one(BlockMark),
  "block reconsider": one(BlockMark),
  tx: one(TransactionStatus),
  account: one(Type.Union([AccountStatus, AccountProof, AccountHistory])),
  "key new": key,
  "key list": many(Type.Union([KeyEntry, DamagedKey])),
  "key export": one(Strict({ ...KeyEntry.properties, file: Text })),
  "key import": key,
  "key encrypt": key,
  "key passphrase": key,
  "key decrypt": key,
  "key remove": one(Strict({ name: Text, removed: Type.Boolean() })),
  send: one(Strict({ id: Id, nonce: Count, fee: Amount, fate: Fate })),
  mine: one(MiningResult),
  watch: stream(WatchedEvent),
  dashboard: one(Strict({ url: Text, controls: Type.Boolean() })),
  "cluster up": one(
    Strict({
      directory: Text,
      pid: Count,
      split: Type.Union([ClusterSplit, Type.Null()]),
      links: Type.Array(ClusterLink),
      healings: Type.Array(Healing),
      nodes: Type.Array(NodeView),
      url: Text,
    }),
  ),
  "cluster status": one(
    Strict({
      url: Text,
      directory: Text,
      groups: Groups,
      split: Type.Union([ClusterSplit, Type.Null()]),
      links: Type.Array(ClusterLink),
      healings: Type.Array(Healing),
      nodes: Type.Array(NodeSnapshot),
    }),
  ),
  "cluster down": one(Strict({ ended: Count, purged: Type.Boolean() })),
  "cluster kill": node,
  "cluster pause": node,
  "cluster resume": node,
  "cluster restart": node,
  // As pino writes them; a line that is no entry comes as { msg }.
  "cluster logs": stream(Type.Record(Text, Type.Unknown())),
  "cluster record": one(Strict({ file: Text, nodes: Count, entries: Count, reorgs: Count })),
  "cluster tx": one(
    Strict({
      items: Type.Array(
        Strict({
          n: NodeNumber,
          transaction: Type.Union([TransactionStatus, Type.Null()]),
          problem: Type.Union([Text, Type.Null()]),
        }),
      ),
    }),
  ),
  "cluster split": one(ClusterSplit),
  "cluster link": one(Strict({ links: Type.Array(ClusterLink) })),
  "cluster heal": one(Strict({ healed: Type.Boolean() })),
  "cluster wait": one(
    Strict({
      converged: Type.Boolean(),
      head: Head,
      timeMs: Count,
      sinceHealMs: Type.Union([Count, Type.Null()]),
    }),
  ),
  "cluster load": one(
    Strict({
      sent: Count,
      accepted: Count,
      refused: Count,
      unanswered: Count,
      lost: Type.Array(Strict({ node: NodeNumber, code: Text, message: Text })),
      blocksMined: Count,
      refusals: Type.Record(Text, Count),
      durationMs: Type.Number({ minimum: 0 }),
    }),
  ),
  "cluster run": one(RunOutput),
  "cluster scenarios": one(ScenarioList),
  backup: one(
    Strict({
      file: Text,
      sizeBytes: Count,
      chain: Id,
      network: Text,
      head: BackupHead,
      firstHeight: Height,
      keys: Type.Array(Text),
      online: Type.Boolean(),
    }),
  ),
  restore: one(
    Strict({
      chain: Id,
      network: Text,
      head: BackupHead,
      firstHeight: Height,
      rows: Count,
      keys: Count,
      identity: Type.Boolean(),
      judged: Type.Boolean(),
      leftOut: Strict({ reorgs: Count, marks: Count, keys: Count, identity: Type.Boolean() }),
    }),
  ),
  reindex: one(Strict({ head: Id, height: Height, firstHeight: Height, wentOn: Type.Boolean() })),
  "db check": one(
    Strict({
      height: Height,
      head: Id,
      blocks: Count,
      transactions: Count,
      sideBlocks: Count,
      firstHeight: Height,
      accounts: Count,
      supply: Strict({ issued: Amount, burned: Amount, balances: Amount }),
      unchecked: Type.Array(Text),
      findings: Type.Array(Strict({ code: Text, detail: Text })),
    }),
  ),
};

/** What every command prints on standard error where it fails, with --json. */
export const JSON_ERROR: Type.TSchema = Strict({
  code: Type.String({ pattern: "^[A-Z][A-Z0-9_-]*$" }),
  message: Text,
  details: Type.Record(Text, Type.Unknown()),
});
