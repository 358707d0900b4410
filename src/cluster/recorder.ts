import { isDeepStrictEqual } from "node:util";
import type { Client, RecordedEntry } from "../client/index.ts";
import type { Logger } from "../ports/index.ts";
import type { Fleet } from "./fleet.ts";
import type { Member } from "./member.ts";
import { followTimeline } from "./node-timeline.ts";

/** Entries in memory; the oldest go. As text, some 500 bytes each: 50 MB when full. */
export const MAX_RECORDED = 100_000;
/** Dropped at a time, so that dropping costs next to nothing. */
const DROPPED_AT_ONCE = 1_000;
/** Entries on one page of `GET /v1/cluster/timeline`. */
export const MAX_RECORDED_PAGE = 5_000;
/** How often a node that ended or was paused by others is looked for; what is done through here is seen at once. */
const LOOK_MS = 1_000;

/** One page of the merged timeline, as text. */
export interface RecordedPage {
  /** JSON of the entries. */
  readonly texts: readonly string[];
  /** Place of the last; null where nothing follows by now. */
  readonly next: number | null;
  /** Of the oldest that is kept; 0 before the first. */
  readonly firstPlace: number;
  readonly lastPlace: number;
}

/** An entry before it has its place; own entries of the supervisor have no node. */
type Unplaced = Omit<RecordedEntry, "place">;

/** What all nodes of a cluster saw, merged in the order in which the supervisor learned of it. */
export interface ClusterRecorder {
  page(options: { readonly after: number; readonly limit: number }): RecordedPage;
  /** Told of each entry after it has its place, with its JSON. */
  subscribe(listener: (entry: RecordedEntry, text: string) => void): void;
  /** Notes what has changed of nodes, split and links. */
  look(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export function createClusterRecorder(
  deps: { readonly logger: Logger; readonly fleet: Pick<Fleet, "members" | "split" | "links"> },
  { maxEntries = MAX_RECORDED }: { readonly maxEntries?: number } = {},
): ClusterRecorder {
  const { fleet, logger } = deps;
  const stopping = new AbortController();
  const listeners: ((entry: RecordedEntry, text: string) => void)[] = [];
  const texts: string[] = [];
  let dropped = 0;
  const states = new Map<number, string>();
  let split: unknown = null;
  let links = new Map<string, { readonly from: number; readonly to: number; readonly shape: object }>();
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const following: Promise<void>[] = [];

  function add(entry: Unplaced): void {
    if (texts.length >= maxEntries + DROPPED_AT_ONCE) {
      texts.splice(0, DROPPED_AT_ONCE);
      dropped += DROPPED_AT_ONCE;
    }
    const placed = { place: dropped + texts.length + 1, ...entry } as RecordedEntry;
    const text = JSON.stringify(placed);
    texts.push(text);
    for (const listener of listeners) listener(placed, text);
  }

  const note = (type: "node" | "split" | "link", data: unknown): void =>
    add({ node: null, sequence: null, timeMs: Date.now(), type, data } as Unplaced);

  async function lookAtNode(member: Member): Promise<void> {
    const { n, state, why } = await member.view();
    if (states.get(n) === state) return;
    states.set(n, state);
    note("node", { n, state, why });
  }

  function lookAtLinks(): void {
    const now = fleet.split();
    const wanted = now === undefined ? null : { groups: now.groups, names: now.names };
    if (!isDeepStrictEqual(wanted, split)) {
      split = wanted;
      note("split", wanted);
    }
    const present = new Map(
      fleet.links().map(({ from, to, shape }) => [`${from}-${to}`, { from, to, shape }]),
    );
    for (const [key, link] of present) if (!isDeepStrictEqual(links.get(key), link)) note("link", link);
    for (const [key, { from, to }] of links) if (!present.has(key)) note("link", { from, to, shape: null });
    links = present;
  }

  function look(): Promise<void> {
    lookAtLinks();
    // Another one that began before may have missed what just changed.
    const next = (looking ?? Promise.resolve()).then(async () => {
      await Promise.all(
        fleet.members.map((member) =>
          lookAtNode(member).catch((error: unknown) =>
            logger.debug({ node: member.n, error: String(error) }, "a node cannot be looked at"),
          ),
        ),
      );
      if (looking === next) looking = undefined;
    });
    looking = next;
    return next;
  }

  function lookLater(): void {
    timer = setTimeout(() => void look().finally(() => stopping.signal.aborted || lookLater()), LOOK_MS);
    timer.unref();
  }

  const clientOf = (member: Member): Client | undefined =>
    member.address() === undefined || member.ended() !== undefined ? undefined : member.client();

  return {
    page({ after, limit }) {
      const from = Math.max(0, after - dropped);
      const page = texts.slice(from, from + limit);
      const end = dropped + from + page.length;
      const lastPlace = dropped + texts.length;
      return {
        texts: page,
        next: end < lastPlace && page.length > 0 ? end : null,
        firstPlace: texts.length === 0 ? 0 : dropped + 1,
        lastPlace,
      };
    },
    subscribe: (listener) => void listeners.push(listener),
    look,
    start() {
      for (const member of fleet.members) {
        const { n } = member;
        const take = (entry: object): void => add({ node: n, ...entry } as Unplaced);
        const most = Math.floor(maxEntries / fleet.members.length);
        following.push(
          followTimeline({ n, client: () => clientOf(member), logger, take }, { most }, stopping.signal),
        );
      }
      void look();
      lookLater();
    },
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await Promise.all(following);
      await looking;
    },
  };
}
