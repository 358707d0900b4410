import { join } from "node:path";
import { ATTACK_ROLES, type AttackRole } from "../api/index.ts";
import { fileProblem, readBounded, replaceWhole } from "../files/index.ts";
import { ClusterError, type ClusterErrorCode } from "./errors.ts";

/** Each node is a process of some 150 MiB. */
export const MAX_NODES = 32;
const DEFAULT_NODES = 3;
const MAX_FILE_BYTES = 1024 * 1024;

export const TOPOLOGY_NAMES = ["full", "line", "ring", "star"] as const;
export type TopologyName = (typeof TOPOLOGY_NAMES)[number];
/** Two nodes that keep a connection to each other. */
export type NodeLink = readonly [number, number];

/** Which nodes are configured as each other's peers. */
export interface Topology {
  readonly nodes: number;
  /** Undefined where the links were given one by one. */
  readonly name?: TopologyName;
  readonly links: readonly NodeLink[];
  /** The parts that nodes play in attacks, by their numbers; absent: all are honest. */
  readonly attacks?: Attacks;
}
export type Attacks = Readonly<Record<number, AttackRole>>;

/** The file in a cluster's directory that the next `up` reads. */
export const TOPOLOGY_FILE = "topology.json";

const isName = (value: unknown): value is TopologyName =>
  (TOPOLOGY_NAMES as readonly unknown[]).includes(value);

function linksOf(name: TopologyName, nodes: number): NodeLink[] {
  const numbers = Array.from({ length: nodes }, (_, i) => i + 1);
  const [first = 1, ...others] = numbers;
  switch (name) {
    case "full":
      return numbers.flatMap((a) => numbers.filter((b) => b > a).map((b) => [a, b] as const));
    case "line":
      return others.map((n) => [n - 1, n] as const);
    case "ring":
      // Two nodes have one link, not two.
      return [...others.map((n) => [n - 1, n] as const), ...(nodes > 2 ? ([[first, nodes]] as const) : [])];
    case "star":
      return others.map((n) => [first, n] as const);
  }
}

export const namedTopology = (name: TopologyName, nodes: number): Topology => ({
  name,
  nodes,
  links: linksOf(name, nodes),
});

export const neighboursOf = ({ links }: Topology, n: number): number[] =>
  links.flatMap(([a, b]) => (a === n ? [b] : b === n ? [a] : []));

/** What is wrong with a topology's links, or the links. */
function checkLinks(value: unknown, nodes: number): string | NodeLink[] {
  if (!Array.isArray(value)) return "links must be a list of pairs of nodes, such as [[1, 2], [2, 3]]";
  const links: NodeLink[] = [];
  const seen = new Set<string>();
  for (const [i, pair] of value.entries()) {
    if (!Array.isArray(pair) || pair.length !== 2)
      return `links[${i}] must be a pair of nodes, such as [1, 2]`;
    for (const [end, n] of pair.entries())
      if (!(Number.isInteger(n) && n >= 1 && n <= nodes))
        return `links[${i}][${end}] must be a node, an integer from 1 to ${nodes}`;
    const [a, b] = pair as [number, number];
    if (a === b) return `links[${i}] links node ${a} with itself`;
    const key = `${Math.min(a, b)}-${Math.max(a, b)}`;
    if (seen.has(key)) return `links[${i}] names the link of nodes ${a} and ${b} again`;
    seen.add(key);
    links.push([a, b]);
  }
  const lost = unreachable(nodes, links);
  return lost === undefined ? links : `links leave node ${lost} without a way to node 1`;
}

/** The first node that no way leads to from node 1: such a cluster would never agree. */
function unreachable(nodes: number, links: readonly NodeLink[]): number | undefined {
  const reached = new Set([1]);
  // A set grows while it is walked through.
  for (const n of reached) for (const other of neighboursOf({ nodes, links }, n)) reached.add(other);
  return Array.from({ length: nodes }, (_, i) => i + 1).find((n) => !reached.has(n));
}

const isRole = (value: unknown): value is AttackRole => (ATTACK_ROLES as readonly unknown[]).includes(value);

/** What is wrong with the parts that nodes are to play, or the parts. */
function checkAttacks(value: unknown, nodes: number): string | Attacks {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return 'attacks must be an object of parts by nodes, such as { "3": "withhold" }';
  for (const [n, role] of Object.entries(value)) {
    if (!(/^[1-9]\d{0,3}$/.test(n) && Number(n) <= nodes))
      return `attacks names node ${n.slice(0, 40)}; the nodes are 1 to ${nodes}`;
    if (!isRole(role)) return `attacks.${n} must be one of ${ATTACK_ROLES.join(", ")}`;
  }
  return value as Attacks;
}

/** A topology with these attackers in place of its own; undefined keeps those. */
function withAttacks(topology: Topology, attacks: Attacks | undefined): Topology {
  const wanted = attacks ?? topology.attacks ?? {};
  const checked = checkAttacks(wanted, topology.nodes);
  if (typeof checked === "string")
    throw new ClusterError(
      "CLUSTER_TOPOLOGY_INVALID",
      `${checked}; say who attacks with --attack N=ROLE, or --attack none`,
    );
  const { attacks: _, ...honest } = topology;
  return Object.keys(checked).length === 0 ? honest : { ...honest, attacks: checked };
}

/** What is wrong with a topology file's text, in words that name the key, or the topology. `kept`: it may be a name. */
export function parseTopology(text: string, kept = false): string | Topology {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`;
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    return `it must be an object such as { "nodes": 3, "links": [[1, 2], [2, 3]] }`;
  const keys = ["nodes", "links", "attacks", ...(kept ? ["name"] : [])];
  const unknown = Object.keys(json).find((key) => !keys.includes(key));
  if (unknown !== undefined) return `unknown key ${unknown.slice(0, 40)}; allowed: ${keys.join(", ")}`;
  const { nodes, links, name, attacks = {} } = json as Readonly<Record<string, unknown>>;
  if (!(typeof nodes === "number" && Number.isInteger(nodes) && nodes >= 1 && nodes <= MAX_NODES))
    return `nodes must be an integer from 1 to ${MAX_NODES}`;
  const roles = checkAttacks(attacks, nodes);
  if (typeof roles === "string") return roles;
  if (name !== undefined)
    return isName(name)
      ? withAttacks(namedTopology(name, nodes), roles)
      : `name must be one of ${TOPOLOGY_NAMES.join(", ")}`;
  const checked = checkLinks(links, nodes);
  return typeof checked === "string" ? checked : withAttacks({ nodes, links: checked }, roles);
}

async function readTopology(
  file: string,
  code: ClusterErrorCode,
  kept: boolean,
): Promise<Topology | undefined> {
  const advice = kept
    ? "remove it, or choose with --topology"
    : `give one of ${TOPOLOGY_NAMES.join(", ")}, or a file such as { "nodes": 3, "links": [[1, 2], [2, 3]] }`;
  let text: string;
  try {
    text = await readBounded(file, MAX_FILE_BYTES);
  } catch (error) {
    if (kept && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new ClusterError(code, `cannot read the topology ${file}: ${fileProblem(error)}; ${advice}`, {
      cause: error,
    });
  }
  const parsed = parseTopology(text, kept);
  if (typeof parsed !== "string") return parsed;
  throw new ClusterError(code, `${file}: ${parsed}${kept ? `; ${advice}` : ""}`);
}

function checkCount(nodes: number): number {
  if (Number.isInteger(nodes) && nodes >= 1 && nodes <= MAX_NODES) return nodes;
  throw new ClusterError("CLUSTER_START_FAILED", `a local cluster has 1 to ${MAX_NODES} nodes, not ${nodes}`);
}

/**
 * The topology that is asked for by name or file; otherwise the one that the directory was started with last, otherwise
 * three nodes that are all linked. Fails with `CLUSTER_TOPOLOGY_INVALID`, or `CLUSTER_FILE_INVALID` for the kept one.
 */
export async function chooseTopology(
  directory: string,
  wanted: { readonly nodes?: number; readonly topology?: string; readonly attacks?: Attacks },
): Promise<Topology> {
  return withAttacks(await chooseLinks(directory, wanted), wanted.attacks);
}

async function chooseLinks(
  directory: string,
  wanted: { readonly nodes?: number; readonly topology?: string },
): Promise<Topology> {
  const { topology } = wanted;
  const nodes = wanted.nodes === undefined ? undefined : checkCount(wanted.nodes);
  const own = join(directory, TOPOLOGY_FILE);
  const kept = async () => readTopology(own, "CLUSTER_FILE_INVALID", true);
  if (isName(topology)) {
    const before = nodes === undefined ? await kept().catch(() => undefined) : undefined;
    return withAttacks(namedTopology(topology, nodes ?? before?.nodes ?? DEFAULT_NODES), before?.attacks);
  }
  const found =
    topology === undefined ? await kept() : await readTopology(topology, "CLUSTER_TOPOLOGY_INVALID", false);
  if (found === undefined) return namedTopology("full", nodes ?? DEFAULT_NODES);
  if (nodes === undefined || nodes === found.nodes) return found;
  if (found.name !== undefined) return withAttacks(namedTopology(found.name, nodes), found.attacks);
  const message = `${topology ?? own} is for ${found.nodes} nodes, not ${nodes}; leave --nodes out, or choose another --topology`;
  throw new ClusterError("CLUSTER_TOPOLOGY_INVALID", message);
}

/** Keeps it for the next `up`: the links, or only their name. */
export function keepTopology(directory: string, { nodes, name, links, attacks }: Topology): Promise<void> {
  const content = { nodes, ...(name === undefined ? { links } : { name }), ...(attacks && { attacks }) };
  return replaceWhole(join(directory, TOPOLOGY_FILE), `${JSON.stringify(content)}\n`);
}
