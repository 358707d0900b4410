import type { NodeEvent, TimelineEntry } from "../../api/index.ts";
import {
  ApiError,
  type Client,
  createClient,
  createRecording,
  type EventsOptions,
  followEvents,
  type HttpOptions,
  type NodeEntries,
  type NodeEventType,
  type ReceivedEvent,
  type RecordedEntry,
  type RecordedNode,
  type RecordingModel,
} from "../../client/index.ts";

/** What happened, as far as it is kept, and as a model that can be asked for any moment of it. */
export interface Store {
  readonly model: RecordingModel;
  /** In the order in which they were heard of. */
  readonly entries: readonly RecordedEntry[];
  addNode(node: RecordedNode): void;
  /** Takes what a node tells; what is there already is passed over. */
  add(node: number, told: readonly Told[]): void;
  /** Takes entries that a cluster's supervisor has given their places. */
  addPlaced(placed: readonly RecordedEntry[]): void;
  /** Place of the newest entry; 0: none. */
  readonly lastPlace: number;
  /** The number of the newest entry of a node; 0: none. */
  lastSequence(node: number): number;
}

/** An entry of a node's timeline; its number is null where the node keeps no timeline. */
export type Told = {
  [Type in keyof NodeEntries]: {
    readonly sequence: number | null;
    readonly timeMs: number;
    readonly type: Type;
    readonly data: NodeEntries[Type];
  };
}[keyof NodeEntries];

/** Entries in memory; when there are more, the older half goes, so that a watch of weeks stays as it is. */
const MAX_ENTRIES = 20_000;

export function createStore(onChange: () => void, maxEntries = MAX_ENTRIES): Store {
  let model = createRecording();
  let entries: RecordedEntry[] = [];
  let place = 0;
  const nodes = new Map<number, RecordedNode>();
  const sequences = new Map<number, number>();

  function keep(entry: RecordedEntry): void {
    entries.push(entry);
    model.add([entry]);
    if (entries.length <= maxEntries) return;
    entries = entries.slice(-Math.floor(maxEntries / 2));
    model = createRecording();
    for (const node of nodes.values()) model.addNode(node);
    model.add(entries);
  }

  return {
    get model() {
      return model;
    },
    get entries() {
      return entries;
    },
    get lastPlace() {
      return place;
    },
    addNode(node) {
      nodes.set(node.n, node);
      model.addNode(node);
      onChange();
    },
    add(node, told) {
      for (const one of told) {
        const last = sequences.get(node) ?? 0;
        const sequence = one.sequence ?? last + 1;
        if (sequence <= last) continue;
        sequences.set(node, sequence);
        keep({ ...one, sequence, node, place: ++place } as RecordedEntry);
      }
      onChange();
    },
    addPlaced(placed) {
      for (const entry of placed) {
        if (entry.place <= place) continue;
        place = entry.place;
        keep(entry);
      }
      onChange();
    },
    lastSequence: (node) => sequences.get(node) ?? 0,
  };
}

/** An event of a stream as the entry that it is; undefined for what is in no timeline. */
export function toldBy(event: NodeEvent): Told | undefined {
  if (event.type === "tx") return undefined;
  const { sequence, timeMs, ...data } = event.data;
  if (event.type !== "reorg") return { sequence, timeMs, type: event.type, data } as Told;
  const { id, oldHead, newHead, forkPoint, depth, receivedMs, durationMs } = event.data;
  return {
    sequence,
    timeMs,
    type: "reorg",
    data: { reorg: id, oldHead, newHead, forkPoint, depth, receivedMs, durationMs },
  };
}

/** Entries read when a node is seen for the first time: the last hours of a small network. */
const FIRST_PAGE = 1_000;
/** The same of a whole cluster. */
const FIRST_ENTRIES = 5_000;
/** Read at a time after a loss. */
const NEXT_PAGE = 5_000;
const KINDS: readonly NodeEventType[] = ["header", "block", "head", "reorg", "peer", "link"];

/** What was told before the stream began, or while it was broken. */
async function catchUp(client: Client, n: number, store: Store, signal: AbortSignal): Promise<void> {
  const last = store.lastSequence(n);
  const page =
    last === 0
      ? await client.timeline({ order: "newest", limit: FIRST_PAGE, signal })
      : await client.timeline({ after: String(last), limit: NEXT_PAGE, signal });
  const items: readonly TimelineEntry[] = last === 0 ? page.items.toReversed() : page.items;
  store.add(n, items as readonly Told[]);
}

/** A node without a timeline, or an empty one: at least where it stands now. */
async function tellPresent(client: Client, n: number, store: Store, signal: AbortSignal): Promise<void> {
  const { head, mempool, timeMs } = await client.status({ signal });
  store.add(n, [{ sequence: null, timeMs, type: "head", data: { ...head, mempool } }]);
}

export interface FollowOptions {
  readonly store: Store;
  readonly n: number;
  readonly signal: AbortSignal;
  readonly retryForMs: number;
  /** Told whether it answers, each time that this changes. */
  readonly onReached: (isReached: boolean) => void;
}

/** Follows one node, wherever `locate` finds it, until the signal is aborted; fails with an `ApiError` where it is away for too long. */
export async function followNode(locate: () => Promise<HttpOptions>, options: FollowOptions): Promise<void> {
  const { store, n, signal } = options;
  let caughtUp: Promise<void> = Promise.resolve();
  const onConnected = (): void => {
    options.onReached(true);
    caughtUp = (async () => {
      const client = createClient(await locate());
      // Where it fails for another reason, the next loss says itself what is wrong.
      const hasTimeline = await catchUp(client, n, store, signal).then(
        () => true,
        (error) => !(error instanceof ApiError && error.code === "TIMELINE_OFF"),
      );
      if (!hasTimeline || store.lastSequence(n) === 0) await tellPresent(client, n, store, signal);
    })().catch(() => {});
  };
  const events = followEvents(locate, signal, {
    kinds: KINDS,
    retryForMs: options.retryForMs,
    onConnected,
    onLost: () => options.onReached(false),
  });
  for await (const event of events) {
    await caughtUp;
    if (event.type === "gap") continue;
    const told = toldBy(event);
    if (told !== undefined) store.add(n, [told]);
  }
}

/** A cluster as its recorder tells it. */
export interface FollowedCluster {
  timeline(page: { readonly after: string; readonly limit: number }): Promise<{
    readonly items: readonly RecordedEntry[];
    readonly next: string | null;
    readonly lastPlace: number;
  }>;
  events(
    signal: AbortSignal,
    options: Pick<EventsOptions, "retryForMs" | "onConnected" | "onLost">,
  ): AsyncGenerator<ReceivedEvent<{ readonly type: "entry"; readonly data: RecordedEntry }>>;
}

/** Follows all nodes of a cluster by their supervisor's recording, as `followNode` does one. */
export async function followCluster(
  cluster: FollowedCluster,
  { store, signal, retryForMs, onReached }: Omit<FollowOptions, "n">,
): Promise<void> {
  async function catchUpAll(): Promise<void> {
    let after = store.lastPlace;
    if (after === 0) {
      const { lastPlace } = await cluster.timeline({ after: "0", limit: 1 });
      after = Math.max(0, lastPlace - FIRST_ENTRIES);
    }
    for (let next: string | null = String(after); next !== null; ) {
      const page = await cluster.timeline({ after: next, limit: NEXT_PAGE });
      store.addPlaced(page.items);
      next = page.next;
    }
  }
  let caughtUp: Promise<void> = Promise.resolve();
  const events = cluster.events(signal, {
    retryForMs,
    onConnected() {
      onReached(true);
      // Where it fails the next loss says why.
      caughtUp = catchUpAll().catch(() => {});
    },
    onLost: () => onReached(false),
  });
  for await (const event of events) {
    await caughtUp;
    if (event.type === "entry") store.addPlaced([event.data]);
  }
}
