import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Status } from "../api/index.ts";
import { type Client, createClient } from "../client/index.ts";
import { readClusterFile } from "./cluster-file.ts";
import { ClusterError, hint } from "./errors.ts";
import { isAlive } from "./processes.ts";
import type { ClusterInfo } from "./supervisor-server.ts";

/** One node in a snapshot; `status` is undefined where it did not answer. */
export interface NodeSnapshot {
  readonly n: number;
  readonly pid: number;
  readonly api: string;
  readonly peer: string;
  readonly state: "running" | "exited";
  readonly status: Status | undefined;
  readonly refuses: readonly string[];
}

/** A running cluster, through its supervisor. Nodes are numbered from 1. */
export interface ClusterClient {
  readonly directory: string;
  readonly url: string;
  readonly token: string;
  info(): Promise<ClusterInfo>;
  /** The API of node `n`, with the right to change it. */
  node(n: number): Client;
  /** All nodes asked at the same time. */
  snapshot(): Promise<readonly NodeSnapshot[]>;
  /** Cuts all links between the groups and restores those within; each node belongs to exactly one group. */
  split(groups: readonly (readonly number[])[]): Promise<void>;
  /** Restores all links. */
  heal(): Promise<void>;
}

/** "1,2/3" to [[1, 2], [3]]: every node of the cluster exactly once. Fails with `CLUSTER_GROUPS_INVALID`. */
export function parseGroups(text: string, nodes: readonly number[]): number[][] {
  const invalid = (why: string): ClusterError =>
    new ClusterError(
      "CLUSTER_GROUPS_INVALID",
      `${why}; name each of nodes ${nodes.join(", ")} once, groups apart by /, such as 1,2/3`,
    );
  if (!/^\d{1,3}(,\d{1,3})*(\/\d{1,3}(,\d{1,3})*)*$/.test(text))
    throw invalid(`"${text.slice(0, 80)}" is no list of groups`);
  const groups = text.split("/").map((group) => group.split(",").map(Number));
  if (groups.length < 2) throw invalid(`"${text}" has only one group`);
  const named = groups.flat();
  const unknown = named.find((n) => !nodes.includes(n));
  if (unknown !== undefined) throw invalid(`there is no node ${unknown}`);
  const twice = named.find((n, i) => named.indexOf(n) !== i);
  if (twice !== undefined) throw invalid(`node ${twice} is named twice`);
  const missing = nodes.find((n) => !named.includes(n));
  if (missing !== undefined) throw invalid(`node ${missing} is in no group`);
  return groups;
}

/** Nodes that can still reach each other, by the links refused: [[1, 2], [3]]. */
export function groupsOf(nodes: readonly NodeSnapshot[]): number[][] {
  const groups: NodeSnapshot[][] = [];
  for (const node of nodes) {
    const reaches = (other: NodeSnapshot) =>
      !node.refuses.includes(other.peer) && !other.refuses.includes(node.peer);
    const joined = groups.filter((group) => group.some(reaches));
    const rest = groups.filter((group) => !joined.includes(group));
    groups.splice(0, groups.length, ...rest, [...joined.flat(), node]);
  }
  return groups
    .map((group) => group.map(({ n }) => n).sort((a, b) => a - b))
    .sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
}

async function askNode(client: Client): Promise<Pick<NodeSnapshot, "status" | "refuses">> {
  try {
    const [status, links] = await Promise.all([client.status(), client.links()]);
    return { status, refuses: links.items.map(({ peer }) => peer) };
  } catch {
    // Dead or busy: the snapshot shows it as not answering.
    return { status: undefined, refuses: [] };
  }
}

async function infoOf(url: string, token: string, directory: string): Promise<ClusterInfo> {
  try {
    const response = await fetch(`${url}/v1/cluster`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (response.ok) return (await response.json()) as ClusterInfo;
    throw new Error(`it answered ${response.status}`);
  } catch (error) {
    const message = `the supervisor of ${directory} does not answer (${(error as Error).message}); end what is left with ${hint("down", directory)}`;
    throw new ClusterError("CLUSTER_NOT_RUNNING", message, { cause: error });
  }
}

/** Opens the cluster that runs in a directory. Fails with `CLUSTER_NOT_RUNNING` where there is none. */
export async function createClusterClient(directory: string): Promise<ClusterClient> {
  const path = resolve(directory);
  const file = await readClusterFile(path);
  if (file === undefined) {
    throw new ClusterError(
      "CLUSTER_NOT_RUNNING",
      `no cluster runs in ${path}; start one with ${hint("up", path)}`,
    );
  }
  if (!(await isAlive(file.supervisor))) {
    const message = `the supervisor of ${path} is gone; clear what is left with ${hint("down", path)}, then start again`;
    throw new ClusterError("CLUSTER_NOT_RUNNING", message);
  }
  if (file.state !== "running")
    throw new ClusterError("CLUSTER_NOT_RUNNING", `the cluster in ${path} is still starting`);
  const token = (await readFile(file.tokenFile, "utf8")).trim();
  const { url } = file;
  const clients = new Map<number, Client>();
  const node = (n: number): Client => {
    const client = clients.get(n) ?? createClient({ url: `${url}/nodes/${n}`, token });
    clients.set(n, client);
    return client;
  };
  const info = () => infoOf(url, token, path);

  /** Sets every link to cut or whole, on both of its ends. */
  async function setLinks(isCut: (a: number, b: number) => boolean): Promise<void> {
    const { nodes } = await info();
    const running = nodes.filter(({ state }) => state === "running");
    await Promise.all(
      running.map(async ({ n }) => {
        const refused = (await node(n).links()).items.map(({ peer }) => peer);
        for (const other of nodes) {
          if (other.n === n) continue;
          if (isCut(n, other.n)) await node(n).refuseLink(other.peer);
          else if (refused.includes(other.peer)) await node(n).allowLink(other.peer);
        }
      }),
    );
  }

  return {
    directory: path,
    url,
    token,
    info,
    node,
    async snapshot() {
      const { nodes } = await info();
      return Promise.all(
        nodes.map(async ({ n, pid, api, peer, state }) => {
          const answer = state === "running" ? await askNode(node(n)) : { status: undefined, refuses: [] };
          return { n, pid, api, peer, state, ...answer };
        }),
      );
    },
    async split(groups) {
      const groupOf = new Map(groups.flatMap((group, i) => group.map((n) => [n, i] as const)));
      await setLinks((a, b) => groupOf.get(a) !== groupOf.get(b));
    },
    heal: () => setLinks(() => false),
  };
}
