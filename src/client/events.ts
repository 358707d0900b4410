import { createParser } from "eventsource-parser";
import type { NodeEvent, NodeEventType, StreamNotes } from "../api/index.ts";
import { ApiError } from "./errors.ts";
import { errorOf, type HttpOptions, isPassing, unreachable } from "./http.ts";
import { pause, piecesOf } from "./waiting.ts";

/**
 * An event as the stream delivers it; `id` names it for a later resume. A `gap` says that events were missed: whoever
 * keeps a picture of the node reads its present state again.
 */
export type ReceivedEvent<Event = NodeEvent> = { readonly id: string } & (
  | Event
  | { readonly type: "gap"; readonly data: StreamNotes["gap"] }
);

/** A connection that was lost, and when the next is tried. */
export interface LostConnection {
  readonly error: ApiError;
  readonly retryInMs: number;
}

export interface EventsOptions<Kind extends string = NodeEventType> {
  /** Only these; default: all. */
  readonly kinds?: readonly Kind[];
  /** Goes on after this event, as far as the node still has what came since; else the first event is a `gap`. */
  readonly lastEventId?: string;
  /**
   * How long a lost connection is tried again before its error is thrown, ms; default 60 s, 0: not at all. A node that
   * was never reached fails at once.
   */
  readonly retryForMs?: number;
  readonly onLost?: (lost: LostConnection) => void;
  /** Each time that a connection stands: what happens from then on is heard. */
  readonly onConnected?: () => void;
}

/** An event longer than this is not ours: a reorg of 1,000 full blocks stays well below it. */
const MAX_EVENT_CHARACTERS = 64 * 1024 * 1024;
/** The server's heartbeat comes every 15 s; three missed ones mean a dead connection. */
const SILENCE_MS = 45_000;
const DEFAULT_RETRY_MS = 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

type Sent<Event> = { readonly id: string } & (
  | Event
  | {
      [Name in keyof StreamNotes]: { readonly type: Name; readonly data: StreamNotes[Name] };
    }[keyof StreamNotes]
);

interface Place {
  lastEventId: string | undefined;
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new ApiError("API_ANSWER_INVALID", 200, "an event is not JSON: it comes from no node", { cause });
  }
}

/** One connection, until it ends: then it throws, or returns where the signal was aborted. */
async function* readOnce<Event extends { readonly type: string }>(
  http: HttpOptions,
  place: Place,
  { path, kinds, onConnected }: StreamOptions,
  signal: AbortSignal,
): AsyncGenerator<ReceivedEvent<Event>> {
  const received: Sent<Event>[] = [];
  let buffered = 0;
  // Ids come with heartbeats too, without an event; until what came before is handed out they must wait.
  let heardId: string | undefined;
  const parser = createParser({
    onId: (id) => {
      heardId = id;
    },
    onEvent: ({ id, event, data }) => {
      buffered = 0;
      received.push({ id: id ?? "", type: event, data: parsed(data) } as unknown as Sent<Event>);
    },
  });
  const silence = new AbortController();
  let alarm: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(alarm);
    alarm = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  try {
    heard();
    const query = kinds === undefined ? "" : `?kinds=${kinds.join(",")}`;
    const response = await fetch(`${http.url}${path}${query}`, {
      headers: {
        ...(http.token === undefined ? {} : { authorization: `Bearer ${http.token}` }),
        ...(place.lastEventId === undefined ? {} : { "last-event-id": place.lastEventId }),
      },
      signal: AbortSignal.any([signal, silence.signal]),
      redirect: "error",
    });
    if (!response.ok) throw await errorOf(response, http.url);
    onConnected?.();
    const decoder = new TextDecoder();
    for await (const chunk of piecesOf(response.body)) {
      buffered += chunk.length;
      if (buffered > MAX_EVENT_CHARACTERS)
        throw new ApiError("API_ANSWER_INVALID", 200, "an event is too long to be one");
      parser.feed(decoder.decode(chunk, { stream: true }));
      // While the reader is at work nobody listens, and so nothing is silent.
      clearTimeout(alarm);
      for (const event of received.splice(0)) {
        if (event.type === "end") {
          const { code, message } = (event as unknown as { data: StreamNotes["end"] }).data;
          throw new ApiError(code, 0, `${http.url}: ${message}`);
        }
        place.lastEventId = event.id;
        if (event.type !== "start") yield event as ReceivedEvent<Event>;
      }
      if (heardId !== undefined) place.lastEventId = heardId;
      heard();
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError) throw error;
    throw unreachable(http.url, error);
  } finally {
    clearTimeout(alarm);
  }
  if (signal.aborted) return;
  throw new ApiError("API_STREAM_ENDED", 0, `${http.url} ended the event stream; the node may have stopped`);
}

/**
 * Events from now on until the signal is aborted; then it returns. A lost connection is made again, first soon and then
 * less often, and goes on where it was: nothing is missed without a `gap`. `locate` is asked where the node is before each
 * connection, since one that was started again may have another port; what it throws counts as a node that is away.
 */
export function followEvents(
  locate: () => Promise<HttpOptions>,
  signal: AbortSignal,
  options: EventsOptions = {},
): AsyncGenerator<ReceivedEvent> {
  return followStream<NodeEvent>(locate, signal, { ...options, path: "/v1/events" });
}

interface StreamOptions extends EventsOptions<string> {
  /** Of the stream, from the root of the API. */
  readonly path: string;
}

/** The same of any stream in this form; `Event` is what comes over it, by type. */
export async function* followStream<Event extends { readonly type: string }>(
  locate: () => Promise<HttpOptions>,
  signal: AbortSignal,
  options: StreamOptions,
): AsyncGenerator<ReceivedEvent<Event>> {
  const { retryForMs = DEFAULT_RETRY_MS, onLost } = options;
  const place: Place = { lastEventId: options.lastEventId };
  let lostAtMs: number | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    const before = place.lastEventId;
    let connectedAtMs = Number.POSITIVE_INFINITY;
    const onConnected = (): void => {
      connectedAtMs = performance.now();
      options.onConnected?.();
    };
    try {
      yield* readOnce<Event>(await locate(), place, { ...options, onConnected }, signal);
    } catch (error) {
      if (place.lastEventId !== before || performance.now() - connectedAtMs >= pauseMs) {
        // It had something to say, or stood for a while on a quiet node, so this is a new loss.
        lostAtMs = undefined;
        pauseMs = FIRST_PAUSE_MS;
      }
      const wasReached = place.lastEventId !== undefined;
      const passing = error instanceof ApiError ? isPassing(error) : wasReached;
      lostAtMs ??= performance.now();
      const leftMs = lostAtMs + retryForMs - performance.now();
      if (!wasReached || !passing || leftMs <= 0) throw error;
      const retryInMs = Math.min(leftMs, Math.round(pauseMs * (0.5 + Math.random())));
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      onLost?.({
        error:
          error instanceof ApiError ? error : new ApiError("API_UNREACHABLE", 0, (error as Error).message),
        retryInMs,
      });
      await pause(retryInMs, signal);
    }
  }
}
