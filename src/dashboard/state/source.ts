import {
  ApiError,
  type Client,
  createClient,
  type LinkShape,
  type RecordedEntry,
  type RecordedReorg,
  type RecordingModel,
} from "../../client/index.ts";
import { follow } from "./follow.ts";
import type { Pending, Store } from "./store.ts";

/** What the page can ask and do, by the number of a node. Failures are `ApiError`s, with the API's own sentence. */
export interface Actions {
  readonly kind: "cluster" | "node";
  node(n: number): Client;
  split(groups: readonly (readonly number[])[], forMs: number | undefined): Promise<unknown>;
  heal(): Promise<unknown>;
  link(from: number, to: number, shape: LinkShape, forMs: number | undefined): Promise<unknown>;
  unlink(from: number, to: number): Promise<unknown>;
  /** Pays base units from one node's rewards, by a transaction that is handed to node `n`. */
  send(
    n: number,
    payment: { readonly from: number; readonly to: string; readonly amount: number },
  ): Promise<{ readonly id: string }>;
  act(n: number, deed: "kill" | "pause" | "resume" | "restart"): Promise<unknown>;
}

interface ClusterInfo {
  readonly nodes: readonly {
    readonly n: number;
    readonly state: string;
    readonly why: string | null;
    readonly peer: string;
  }[];
}

/** A page of a timeline: a node's own entries, or the merged ones of a cluster. */
interface TimelinePage {
  readonly items: readonly { readonly place?: number; readonly sequence?: number | null }[];
  readonly next: string | null;
}

const PAGE_ENTRIES = 5_000;
const ASK_MS = 10_000;
/** A deed such as a restart ends a process and starts another. */
const DEED_MS = 90_000;
const PENDING_EVERY_MS = 2_000;
/** Reorg records read at once of a node that has new ones. */
const REORG_RECORDS = 100;
const TOKEN_KEY = "cumulo-token";
/** Characters of a token as it stands in an address; the API takes none that is longer. */
const MAX_TOKEN = 1_600;

/** The token from the address, kept for this tab, and taken out of the address bar and its history. */
function takeToken(): string | undefined {
  const given = /^#token=([^&]*)$/.exec(location.hash)?.[1];
  if (given !== undefined) history.replaceState(null, "", `${location.pathname}#/`);
  let token: string | undefined;
  try {
    if (given !== undefined && given.length <= MAX_TOKEN) token = decodeURIComponent(given) || undefined;
  } catch {
    // Broken on its way here: the page goes on without it.
  }
  try {
    if (token !== undefined) sessionStorage.setItem(TOKEN_KEY, token);
    return token ?? sessionStorage.getItem(TOKEN_KEY) ?? undefined;
  } catch {
    // Where nothing may be stored, it holds until the page is loaded anew.
    return token;
  }
}

function createAsk(base: string, token: string | undefined) {
  return async <Answer>(method: string, path: string, json?: unknown): Promise<Answer> => {
    const response = await fetch(base + path, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
      },
      signal: AbortSignal.timeout(method === "GET" ? ASK_MS : DEED_MS),
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    }).catch((cause: unknown) => {
      throw new ApiError("API_UNREACHABLE", 0, "nobody answers at this address any more", { cause });
    });
    const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
    if (response.ok) return answer as Answer;
    const message = typeof answer["message"] === "string" ? answer["message"] : `answered ${response.status}`;
    throw new ApiError(String(answer["code"] ?? "API_ANSWER_INVALID"), response.status, message);
  };
}

type Ask = ReturnType<typeof createAsk>;

function actionsOf(ask: Ask, base: string, token: string | undefined, kind: "cluster" | "node"): Actions {
  const clients = new Map<number, Client>();
  return {
    kind,
    node(n) {
      const url = kind === "cluster" ? `${base}/nodes/${n}` : base;
      const client = clients.get(n) ?? createClient({ url, token });
      clients.set(n, client);
      return client;
    },
    split: (groups, forMs) =>
      ask("PUT", "/v1/cluster/split", { groups, ...(forMs === undefined ? {} : { forMs }) }),
    heal: () => ask("DELETE", "/v1/cluster/split"),
    link: (from, to, shape, forMs) =>
      ask("PUT", "/v1/cluster/links", { from, to, shape, ...(forMs === undefined ? {} : { forMs }) }),
    unlink: (from, to) => ask("DELETE", `/v1/cluster/links?from=${from}&to=${to}`),
    send: (n, payment) => ask("POST", `/v1/cluster/nodes/${n}/send`, payment),
    act: (n, deed) => ask("POST", `/v1/cluster/nodes/${n}/${deed}`),
  };
}

/** Reads a timeline on from where it was, page by page, into the model. */
function createReader(ask: Ask, model: RecordingModel, kind: "cluster" | "node") {
  const path = kind === "cluster" ? "/v1/cluster/timeline" : "/v1/timeline";
  let place = 0;
  let run: string | undefined;
  function enter(next: string): void {
    // Another supervisor counts places anew; a node goes on with its sequence.
    if (kind === "cluster" && run !== undefined && run !== next) {
      place = 0;
      model.restartPlaces();
    }
    run = next;
  }
  async function read(): Promise<void> {
    let after = place;
    for (;;) {
      const query = `?limit=${PAGE_ENTRIES}${kind === "node" ? "&order=oldest" : ""}${after > 0 ? `&after=${after}` : ""}`;
      const page = await ask<TimelinePage>("GET", path + query);
      const entries =
        kind === "cluster"
          ? page.items
          : page.items.map((item) => ({ ...item, node: 1, place: item.sequence ?? 0 }));
      model.add(entries as unknown as readonly RecordedEntry[]);
      after = entries.at(-1)?.place ?? after;
      place = after;
      if (page.next === null) return;
    }
  }
  return { enter, read };
}

/** Asks every node what is pending at it, for as long as the page is open and looked at; at once where one is told to. */
function watchPending(actions: Actions, store: Store): () => void {
  let isAsking = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  async function ask(): Promise<void> {
    clearTimeout(timer);
    if (isAsking) return;
    isAsking = true;
    if (!document.hidden && store.moment().isLive && store.moment().connection.state === "live") {
      const pending = new Map<number, Pending>();
      await Promise.all(
        store.model.nodes.map(async ({ n }) => {
          const status = await actions
            .node(n)
            .status({ signal: AbortSignal.timeout(PENDING_EVERY_MS) })
            .catch(() => undefined);
          if (status !== undefined) pending.set(n, status.mempool);
        }),
      );
      store.set({ pending });
    }
    isAsking = false;
    // At first until there is anybody to ask.
    const pauseMs = store.moment().pending.size === 0 ? PENDING_EVERY_MS / 10 : PENDING_EVERY_MS;
    timer = setTimeout(() => void ask(), pauseMs);
  }
  void ask();
  return () => void ask();
}

/** Whole records of new reorgs; the timeline has only their names and depths. */
function createRecordReader(actions: Actions, model: RecordingModel) {
  const answered = new Set<RecordedReorg>();
  return async (): Promise<void> => {
    // Not only those at the end: one that was learned of late stands among the older ones.
    const news = model.reorgs.filter((reorg) => !answered.has(reorg));
    const nodes = new Set(news.map(({ node }) => node));
    await Promise.all(
      [...nodes].map(async (n) => {
        // One that has died has its reorgs in the timeline, and is asked for more when it is back.
        const page = await actions
          .node(n)
          .reorgs({ limit: REORG_RECORDS })
          .catch(() => undefined);
        if (page === undefined) return;
        model.addReorgs(n, page.items);
        for (const reorg of news) if (reorg.node === n) answered.add(reorg);
      }),
    );
  };
}

/** Whether a supervisor serves this page, or one node; the document says so. */
const kindOf = ({ served }: DOMStringMap): "cluster" | "node" => (served === "cluster" ? "cluster" : "node");

async function nameNodes(ask: Ask, actions: Actions, store: Store): Promise<void> {
  if (actions.kind === "node") {
    const { node, network } = await actions.node(1).status();
    store.model.addNode({ n: 1, name: "this node", peer: node.peer });
    store.set({ served: { kind: "node", name: network } });
    return;
  }
  const { nodes } = await ask<ClusterInfo>("GET", "/v1/cluster");
  for (const { n, peer } of nodes) store.model.addNode({ n, name: `node ${n}`, peer });
  store.set({ served: { kind: "cluster", name: `cluster of ${nodes.length}` } });
}

/**
 * Shows whoever serves this page, for as long as it is open: reads the timeline from its beginning, then on with each
 * word of the stream of events. What is away is asked again by itself.
 */
export async function startSource(store: Store, onActions: (actions: Actions) => void): Promise<void> {
  const token = takeToken();
  store.set({ hasToken: token !== undefined });
  // A node's page may also be reached through its supervisor, below /nodes/{n}.
  const base = location.origin + location.pathname.replace(/\/+$/, "");
  const ask = createAsk(base, token);
  const lost = (message: string): void => store.set({ connection: { state: "lost", message } });
  const kind = kindOf(document.documentElement.dataset);
  const actions = actionsOf(ask, base, token, kind);
  onActions(actions);
  const entries = createReader(ask, store.model, kind);
  const readRecords = createRecordReader(actions, store.model);
  const askPending = watchPending(actions, store);
  await follow(`${base}/v1/${kind === "cluster" ? "cluster/" : ""}events`, token, {
    async onNews(isFirst) {
      if (isFirst) await nameNodes(ask, actions, store);
      await entries.read();
      // A block takes what was pending.
      askPending();
      store.set({ connection: { state: "live" } });
      store.touch();
      await readRecords();
      store.touch();
    },
    onLost: lost,
    onRun: entries.enter,
  });
}
