import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { AttackRole, Shape, Status } from "../api/index.ts";
import {
  type Client,
  createClient,
  type EventsOptions,
  followStream,
  type ReceivedEvent,
  type RecordedEntry,
} from "../client/index.ts";
import { readClusterFile } from "./cluster-file.ts";
import { ClusterError, type ClusterErrorCode, hint } from "./errors.ts";
import type { NodeDeed } from "./fleet.ts";
import type { ClusterLink, ClusterSplit } from "./link-plan.ts";
import type { NodeState, NodeView } from "./member.ts";
import { isAlive } from "./processes.ts";
import type { ClusterInfo, NodeLog } from "./supervisor-routes.ts";
import type { ClusterTimelinePage } from "./timeline-routes.ts";

/** One node in a snapshot; `status` is undefined where it did not answer. */
export interface NodeSnapshot {
  readonly n: number;
  readonly pid: number;
  readonly api: string;
  readonly peer: string;
  readonly state: NodeState;
  /** Of an ended node: how that came. */
  readonly why: string | null;
  /** The part that it plays in an attack; null: it is honest. */
  readonly attack: AttackRole | null;
  readonly status: Status | undefined;
  readonly refuses: readonly string[];
}

/** An entry as it comes, or a gap: some were missed, and are to be read by `timeline`. */
export type ClusterEvent = ReceivedEvent<{ readonly type: "entry"; readonly data: RecordedEntry }>;
export type ClusterEventsOptions = Omit<EventsOptions, "kinds">;

export interface SplitOptions {
  /** What the groups are called. */
  readonly names?: readonly string[] | undefined;
  /** When it heals by itself. */
  readonly forMs?: number | undefined;
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
  /** Cuts all links between the groups and joins those within; each node belongs to exactly one group. */
  split(groups: readonly (readonly number[])[], options?: SplitOptions): Promise<ClusterSplit>;
  /** Joins all groups again. Links that are shaped stay so. */
  heal(): Promise<void>;
  /** Shapes what node `from` sends to node `to`, in place of what was before. Where the shape does nothing, it is whole. */
  link(from: number, to: number, shape: Shape, forMs?: number): Promise<ClusterLink | null>;
  /** Makes links whole: that one, all from or to a node, or all there are. Answers those that were not. */
  unlink(from?: number, to?: number): Promise<readonly ClusterLink[]>;
  /** Signals or restarts the process of node `n`; settles when that is done. */
  act(n: number, deed: NodeDeed): Promise<NodeView>;
  /** What all nodes saw and what was done to them, by place; as much of it as the supervisor keeps. */
  timeline(page?: { readonly limit?: number; readonly after?: string }): Promise<ClusterTimelinePage>;
  /** The same as it comes, until the signal is aborted; as `events` of a node's client. */
  events(signal: AbortSignal, options?: ClusterEventsOptions): AsyncGenerator<ClusterEvent>;
  /** The last lines of a node's log, or those after an earlier answer. */
  log(n: number, from: { readonly lines: number } | { readonly after: string }): Promise<NodeLog>;
}

async function askNode(client: Client): Promise<Pick<NodeSnapshot, "status" | "refuses">> {
  try {
    const [status, links] = await Promise.all([client.status(), client.links()]);
    return { status, refuses: links.items.flatMap(({ peer, mode }) => (mode === "refuse" ? [peer] : [])) };
  } catch {
    // Dead or busy: the snapshot shows it as not answering.
    return { status: undefined, refuses: [] };
  }
}

/** A restart: the old process ends, the new one replays its chain. */
const LONGEST_DEED_MS = 90_000;

/** Asks the supervisor itself. Fails with its `ClusterError`, or `CLUSTER_NOT_RUNNING` where it does not answer. */
function askSupervisor(url: string, token: string, directory: string) {
  return async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    let response: Response;
    let answer: Record<string, unknown>;
    try {
      response = await fetch(`${url}/v1/cluster${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...type },
        signal: AbortSignal.timeout(method === "GET" ? 10_000 : LONGEST_DEED_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      answer = (await response.json()) as Record<string, unknown>;
    } catch (error) {
      const message = `the supervisor of ${directory} does not answer (${(error as Error).message}); end what is left with ${hint("down", directory)}`;
      throw new ClusterError("CLUSTER_NOT_RUNNING", message, { cause: error });
    }
    if (response.ok) return answer as Answer;
    const { code, message, details } = answer as {
      code: ClusterErrorCode;
      message: string;
      details?: object;
    };
    throw new ClusterError(code, message, { details: { ...details } });
  };
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
  const ask = askSupervisor(url, token, path);
  const info = () => ask<ClusterInfo>("GET", "");

  return {
    directory: path,
    url,
    token,
    info,
    node,
    async snapshot() {
      const { nodes } = await info();
      return Promise.all(
        nodes.map(async ({ n, pid, api, peer, state, why, attack }) => {
          const answer = state === "running" ? await askNode(node(n)) : { status: undefined, refuses: [] };
          return { n, pid, api, peer, state, why, attack, ...answer };
        }),
      );
    },
    split: (groups, options = {}) => ask("PUT", "/split", { groups, ...options }),
    async heal() {
      await ask("DELETE", "/split");
    },
    link: async (from, to, shape, forMs) =>
      (await ask<{ link: ClusterLink | null }>("PUT", "/links", { from, to, shape, forMs })).link,
    async unlink(from, to) {
      const query = new URLSearchParams();
      if (from !== undefined) query.set("from", String(from));
      if (to !== undefined) query.set("to", String(to));
      const suffix = query.size === 0 ? "" : `?${query}`;
      return (await ask<{ healed: ClusterLink[] }>("DELETE", `/links${suffix}`)).healed;
    },
    timeline({ limit, after } = {}) {
      const query = new URLSearchParams();
      if (limit !== undefined) query.set("limit", String(limit));
      if (after !== undefined) query.set("after", after);
      return ask("GET", `/timeline${query.size === 0 ? "" : `?${query}`}`);
    },
    events: (signal, options = {}) =>
      followStream(async () => ({ url, token }), signal, { ...options, path: "/v1/cluster/events" }),
    act: (n, deed) => ask("POST", `/nodes/${n}/${deed}`),
    log: (n, from) =>
      ask("GET", `/nodes/${n}/log?${"after" in from ? `after=${from.after}` : `lines=${from.lines}`}`),
  };
}
