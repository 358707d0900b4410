import { isMap, isSeq, type Node, type Pair } from "yaml";
import type { AttackRole } from "../../api/index.ts";
import { fileProblem, readBounded } from "../../files/index.ts";
import { UNITS_PER_COIN } from "../../primitives/index.ts";
import { ClusterError } from "../errors.ts";
import { MAX_NODES, parseTopology } from "../topology.ts";
import * as kinds from "./kinds.ts";
import { type Kind, textOf } from "./kinds.ts";
import { newName, node as nodeKind, nodes as nodesKind } from "./names.ts";
import { formatProblems, type Problem, parseSource, quoted, unknownWord } from "./problems.ts";
import { readStep } from "./read-steps.ts";
import { createReading, type Reading } from "./reading.ts";
import {
  attackRole,
  connections,
  GENESIS_KINDS,
  type Genesis,
  KEYS,
  MAX_STEPS,
  type Miner,
  type Scenario,
  topologyName,
} from "./scenario.ts";

const DEFAULT_LIMIT_MS = 600_000;
/** A long scenario has some hundred lines. */
const MAX_FILE_BYTES = 256 * 1024;
/** As the store of keys bounds them, and far more than anybody follows. */
const MAX_ENTRIES = 64;

type Entries = ReadonlyMap<string, { readonly key: unknown; readonly value: unknown }>;

/** The entries of a mapping whose keys are known; others are told. */
function entriesOf(at: unknown, known: readonly string[], reading: Reading, key: string): Entries {
  const found = new Map<string, { key: unknown; value: unknown }>();
  if (!isMap(at)) {
    reading.tell(at, key, `it must be a mapping with ${known.join(", ")}`);
    return found;
  }
  for (const { key: nameNode, value } of at.items as Pair[]) {
    const name = textOf(nameNode) ?? "";
    if (known.includes(name)) found.set(name, { key: nameNode, value });
    else reading.tell(nameNode, key === "" ? name : `${key}.${name}`, unknownWord("key", name, known));
  }
  return found;
}

/** Each name with its value, such as accounts; `add` gets those that are right. */
function eachNamed<T>(
  at: unknown,
  { key, kind, name }: { readonly key: string; readonly kind: Kind<T>; readonly name: Kind<string | number> },
  reading: Reading,
  add: (name: string | number, value: T, at: unknown) => void,
): void {
  if (!isMap(at) || at.items.length === 0 || at.items.length > MAX_ENTRIES) {
    reading.tell(at, key, `it must be a mapping of 1 to ${MAX_ENTRIES} names`);
    return;
  }
  for (const { key: nameNode, value } of at.items as Pair[]) {
    const inner = `${key}.${textOf(nameNode) ?? ""}`;
    const [found, read] = [name.read(nameNode, reading, inner), kind.read(value ?? nameNode, reading, inner)];
    if (found !== undefined && read !== undefined) add(found, read, nameNode);
  }
}

function readNodes(at: unknown, reading: Reading): void {
  const count = textOf(at);
  if (count !== undefined) {
    const isGood = /^\d{1,3}$/.test(count) && Number(count) >= 1 && Number(count) <= MAX_NODES;
    if (!isGood)
      reading.tell(at, "nodes", `it must be a number from 1 to ${MAX_NODES}, not ${quoted(count)}`);
    for (let n = 1; n <= (isGood ? Number(count) : MAX_NODES); n++) reading.nodes.push("");
    return;
  }
  if (!isSeq(at) || at.items.length === 0 || at.items.length > MAX_NODES) {
    reading.tell(at, "nodes", `it must be how many, or a list of 1 to ${MAX_NODES} names`);
    return;
  }
  for (const [i, item] of (at.items as Node[]).entries()) {
    const name = newName.read(item, reading, `nodes[${i}]`);
    if (name !== undefined && reading.nodes.includes(name))
      reading.tell(item, `nodes[${i}]`, `another node is called ${name} already`);
    reading.nodes.push(name ?? "");
  }
}

function readGenesis(at: unknown, reading: Reading): Genesis {
  const found = entriesOf(at, Object.keys(GENESIS_KINDS), reading, "genesis");
  const read = <Name extends keyof typeof GENESIS_KINDS>(name: Name) => {
    const entry = found.get(name);
    if (entry === undefined) return undefined;
    const kind: Kind<unknown> = GENESIS_KINDS[name];
    return kind.read(entry.value ?? entry.key, reading, `genesis.${name}`) as
      | kinds.ValueOf<(typeof GENESIS_KINDS)[Name]>
      | undefined;
  };
  const intervalMs = read("interval") ?? DEFAULT_GENESIS.intervalMs;
  if (intervalMs < 50)
    reading.tell(found.get("interval")?.value, "genesis.interval", "it must be at least 50ms");
  return {
    difficultyBits: read("difficulty") ?? DEFAULT_GENESIS.difficultyBits,
    adjusting: read("adjusting") ?? DEFAULT_GENESIS.adjusting,
    intervalMs,
    smoothing: read("smoothing") ?? DEFAULT_GENESIS.smoothing,
    reward: read("reward") ?? DEFAULT_GENESIS.reward,
  };
}

const DEFAULT_GENESIS: Genesis = {
  difficultyBits: 10,
  adjusting: false,
  intervalMs: 2_000,
  smoothing: 72,
  reward: 50 * UNITS_PER_COIN,
};

function readMiners(at: unknown, reading: Reading): Miner[] {
  if (!isMap(at)) {
    const numbers = nodesKind.read(at, reading, "miners") ?? [];
    return numbers.map((n) => ({ n, share: 1 / numbers.length }));
  }
  const miners: Miner[] = [];
  const name: Kind<string | number> = nodeKind;
  eachNamed(at, { key: "miners", kind: kinds.percent, name }, reading, (n, share) =>
    miners.push({ n: Number(n), share }),
  );
  const sum = miners.reduce((total, { share }) => total + share, 0);
  if (sum > 1.000_001)
    reading.tell(at, "miners", `the shares add up to ${Math.round(sum * 100)}%, more than all`);
  return miners;
}

/** Reads the keys that say what there is, before the steps that name it. */
function readWorld(found: Entries, reading: Reading): Omit<Scenario, "steps"> {
  const read = <T>(name: keyof typeof KEYS, kind: Kind<T>): T | undefined => {
    const entry = found.get(name);
    return entry === undefined ? undefined : kind.read(entry.value ?? entry.key, reading, name);
  };
  const at = (name: keyof typeof KEYS): unknown => found.get(name)?.value;
  const engine = textOf(at("engine"));
  if (engine === "vote")
    reading.tell(at("engine"), "engine", "the engine vote does not exist yet; scenarios run on pow for now");
  else if (found.has("engine") && engine !== "pow")
    reading.tell(at("engine"), "engine", `it must be "pow", not ${quoted(engine ?? "")}`);
  if (found.has("nodes")) readNodes(at("nodes"), reading);
  if (found.has("groups"))
    eachNamed(
      at("groups"),
      { key: "groups", kind: nodesKind, name: newName },
      reading,
      (name, value, place) => {
        if (reading.nodes.includes(String(name)))
          reading.tell(place, `groups.${name}`, `a node is called ${name} already`);
        reading.groups.set(String(name), value);
      },
    );
  if (found.has("accounts"))
    eachNamed(at("accounts"), { key: "accounts", kind: kinds.coins, name: newName }, reading, (name, value) =>
      reading.accounts.set(String(name), value),
    );
  for (const n of read("late", nodesKind) ?? []) reading.late.add(n);
  if (reading.late.size > 0 && reading.late.size === reading.nodes.length)
    reading.tell(at("late"), "late", "one node at least must run from the start");
  if (found.has("attackers"))
    eachNamed(at("attackers"), { key: "attackers", kind: attackRole, name: nodeKind }, reading, (n, role) =>
      reading.attackers.set(Number(n), role),
    );
  const topologyText = textOf(at("topology"));
  const topology = read(
    "topology",
    topologyText === undefined ? (connections as Kind<unknown>) : topologyName,
  );
  if (Array.isArray(topology)) {
    const parsed = parseTopology(JSON.stringify({ nodes: reading.nodes.length, links: topology }));
    if (typeof parsed === "string") reading.tell(at("topology"), "topology", parsed);
  }
  return {
    name: read("name", kinds.text) ?? "",
    about: read("about", kinds.text) ?? "",
    nodes: reading.nodes,
    topology: (topology ?? "full") as Scenario["topology"],
    groups: Object.fromEntries(reading.groups),
    late: [...reading.late],
    attackers: Object.fromEntries(reading.attackers) as Record<number, AttackRole>,
    genesis: found.has("genesis") ? readGenesis(at("genesis"), reading) : DEFAULT_GENESIS,
    accounts: Object.fromEntries(reading.accounts),
    miners: found.has("miners") ? readMiners(at("miners"), reading) : [],
    loadTps: read("load", kinds.rate) ?? 0,
    limitMs: read("limit", kinds.time) ?? DEFAULT_LIMIT_MS,
  };
}

export type ReadScenario =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads and checks a scenario's text whole: every problem is told, not only the first. Starts nothing. */
export function readScenario(text: string): ReadScenario {
  const source = parseSource(text);
  // What is no YAML has no keys to be right about.
  if (source.problems.length > 0) return { ok: false, problems: source.problems };
  const reading = createReading(source);
  const known = [...Object.keys(KEYS), "steps"];
  const found = entriesOf(source.root, known, reading, "");
  const needed = [
    ...Object.entries(KEYS).flatMap(([name, key]) => ("isNeeded" in key ? [name] : [])),
    "steps",
  ];
  if (isMap(source.root))
    for (const name of needed)
      if (!found.has(name)) reading.tell(source.root, "", `a scenario needs ${name}, and this one has none`);
  const world = readWorld(found, reading);
  const list = found.get("steps");
  const steps = isSeq(list?.value) ? (list.value.items as Node[]) : [];
  if (list !== undefined && (steps.length === 0 || steps.length > MAX_STEPS))
    reading.tell(
      list.value ?? list.key,
      "steps",
      `it must be a list of 1 to ${MAX_STEPS} steps, each begun with a -`,
    );
  const read = steps.slice(0, MAX_STEPS).map((step, i) => readStep(step, reading, `steps[${i}]`));
  if (
    read.every((step) => step !== undefined) &&
    steps.length > 0 &&
    !read.some((step) => step.kind === "assertion")
  )
    reading.tell(list?.key, "steps", "it asserts nothing, so it can never fail; add an assert at its end");
  if (source.problems.length > 0) return { ok: false, problems: source.problems };
  return { ok: true, scenario: { ...world, steps: read.filter((step) => step !== undefined) } };
}

/** Reads a scenario's file. Fails with `CLUSTER_SCENARIO_INVALID`, whose details have all the problems. */
export async function loadScenario(file: string): Promise<Scenario> {
  const invalid = (message: string, problems: readonly Problem[] = []): ClusterError =>
    new ClusterError("CLUSTER_SCENARIO_INVALID", message, { details: { file, problems } });
  const text = await readBounded(file, MAX_FILE_BYTES).catch((error: unknown) => {
    throw invalid(
      `cannot read the scenario ${file}: ${fileProblem(error)}; "cumulo cluster scenarios" lists those that come along`,
    );
  });
  const read = readScenario(text);
  if (read.ok) return read.scenario;
  const lines = formatProblems(file, read.problems);
  throw invalid(`${lines[0]}${lines.length > 1 ? ` (and ${lines.length - 1} more)` : ""}`, read.problems);
}
