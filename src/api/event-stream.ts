import type { ServerResponse } from "node:http";
import type { Clock, Counter, Timers } from "../ports/index.ts";
import { createEventHistory, type HistoryBounds } from "./event-history.ts";
import type { StreamNotes } from "./schemas/index.ts";
import { ServiceError } from "./service.ts";

/** Open streams at a time: each holds a socket and what that has not sent yet. */
export const MAX_STREAMS = 64;
/** What is handed to a socket at a time beyond what it takes at once. One event may be longer. */
const MAX_UNSENT_BYTES = 256 * 1024;
/** Proxies and laptops drop silent connections after some 30 s. */
const HEARTBEAT_MS = 15_000;
/** A client that takes nothing for so long is gone or stuck. */
const MAX_STALL_MS = 60_000;
/** How long a client that is cut may take to read why. */
const FAREWELL_MS = 5_000;

export interface StreamRequest<Kind extends string> {
  /** What the client has; it gets what came after it. */
  readonly lastEventId: string | undefined;
  readonly kinds: ReadonlySet<Kind>;
}

/** An event of some kind; `data` is JSON. */
export interface StreamedEvent<Kind extends string> {
  readonly type: Kind;
  readonly data: object;
}

export interface EventStreams<Kind extends string> {
  /** Turns a response into a stream of server-sent events until either side closes it. */
  open(response: ServerResponse, request: StreamRequest<Kind>): void;
  publish(event: StreamedEvent<Kind>): void;
  /** Events were lost before they could be published: every stream ends, and a reader that comes back is told of a gap. */
  missed(): void;
  /** Streams open now. */
  readonly size: number;
  close(): void;
}

interface Stream<Kind extends string> {
  readonly response: ServerResponse;
  readonly kinds: ReadonlySet<Kind>;
  /** Number of the last event that was looked at for it. */
  sentUpTo: number;
  /** Since when its socket takes nothing, by the monotonic clock; undefined while it does. */
  stalledMs: number | undefined;
}

type GapReason = StreamNotes["gap"]["reason"];

/**
 * Sends events to many readers. An event's id is "<run>-<n>": the run tells the daemon's starts apart, n counts up. A
 * reader is sent what it has not got from the events that are kept, as fast as it reads; so it may come back with its last
 * id, and costs no memory of its own while it is slow. One that needs what is not kept any more is told so.
 */
export function createEventStreams<Kind extends string>(
  deps: {
    readonly timers: Timers;
    readonly clock: Clock;
    /** Streams that are ended for a reason other than their reader's wish. Where left out, nothing is counted. */
    readonly cut?: Readonly<Record<"too-slow" | "stalled" | "missed", Counter>>;
  },
  {
    run,
    kinds: allKinds,
    ...bounds
  }: { readonly run: string; readonly kinds: readonly Kind[] } & HistoryBounds,
): EventStreams<Kind> {
  const { timers, clock } = deps;
  const open = new Set<Stream<Kind>>();
  const history = createEventHistory(allKinds, bounds);
  const idOf = (sequence: number): string => `${run}-${sequence}`;

  function note<Name extends keyof StreamNotes>(
    name: Name,
    data: StreamNotes[Name],
    sequence: number,
  ): string {
    return `id: ${idOf(sequence)}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  /** Says why and ends the stream; with force where the client does not even read that. */
  function cut(stream: Stream<Kind>, code: StreamNotes["end"]["code"], message: string): void {
    const { response } = stream;
    open.delete(stream);
    response.end(note("end", { code, message }, stream.sentUpTo));
    const timer = timers.set(FAREWELL_MS, () => response.destroy());
    response.once("close", () => timers.clear(timer));
  }

  function pump(stream: Stream<Kind>): void {
    const { response, kinds } = stream;
    // Until its socket takes more, looking for what it lacks is work that every event would make anew.
    if (stream.stalledMs !== undefined) return;
    const events = history.after(stream.sentUpTo, kinds);
    if (events === undefined) {
      const message = "you read too slowly, and missed events; connect again and read the present state";
      deps.cut?.["too-slow"].increment();
      cut(stream, "STREAM_TOO_SLOW", message);
      return;
    }
    for (const { sequence, text } of events) {
      if (response.writableLength > MAX_UNSENT_BYTES) {
        stream.stalledMs ??= clock.monotonicMs();
        return;
      }
      response.write(text);
      stream.sentUpTo = sequence;
    }
    stream.sentUpTo = history.last;
  }

  function beat(): void {
    for (const stream of open) {
      const { response, stalledMs } = stream;
      if (stalledMs !== undefined && clock.monotonicMs() - stalledMs > MAX_STALL_MS) {
        deps.cut?.stalled.increment();
        cut(stream, "STREAM_TOO_SLOW", `nothing was read for ${MAX_STALL_MS / 1_000} s`);
        // With the id: who asked for a rare kind stays near the end of what is kept.
      } else if (stalledMs === undefined) response.write(`: still here\nid: ${idOf(stream.sentUpTo)}\n\n`);
    }
    heartbeat = timers.set(HEARTBEAT_MS, beat);
  }
  let heartbeat = timers.set(HEARTBEAT_MS, beat);

  /** Where a client that has an id goes on, or why it cannot. */
  function placeOf(lastEventId: string, kinds: ReadonlySet<Kind>): number | GapReason {
    const match = /^([0-9a-z]{1,20})-(0|[1-9]\d{0,14})$/.exec(lastEventId);
    if (match === null) return "unknown-id";
    if (match[1] !== run) return "restarted";
    const sequence = Number(match[2]);
    if (sequence > history.last) return "unknown-id";
    return history.after(sequence, kinds) === undefined ? "too-old" : sequence;
  }

  return {
    open(response, { lastEventId, kinds }) {
      if (open.size >= MAX_STREAMS) {
        const message = `${MAX_STREAMS} event streams are open already; close one first`;
        throw new ServiceError("STREAMS_EXHAUSTED", 503, message);
      }
      const place = lastEventId === undefined ? undefined : placeOf(lastEventId, kinds);
      const sentUpTo = typeof place === "number" ? place : history.last;
      const stream: Stream<Kind> = { response, kinds, sentUpTo, stalledMs: undefined };
      open.add(stream);
      response.on("close", () => open.delete(stream));
      response.on("error", () => open.delete(stream));
      response.on("drain", () => {
        stream.stalledMs = undefined;
        if (open.has(stream)) pump(stream);
      });
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        // When the stream ends, so does the socket: no client is to wait for more.
        connection: "close",
      });
      if (place === undefined) response.write(note("start", { run }, sentUpTo));
      else if (typeof place === "string") response.write(note("gap", { run, reason: place }, sentUpTo));
      else response.write(": events follow\n\n");
      pump(stream);
    },
    publish(event) {
      history.add(
        event.type,
        (sequence) => `id: ${idOf(sequence)}\nevent: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`,
      );
      for (const stream of open) pump(stream);
    },
    missed() {
      const message = "more happened than could be told; connect again and read the present state";
      deps.cut?.missed.increment(open.size);
      for (const stream of open) cut(stream, "EVENTS_MISSED", message);
      history.lose();
    },
    get size() {
      return open.size;
    },
    close() {
      timers.clear(heartbeat);
      for (const stream of open)
        stream.response.end(note("end", { code: "NODE_STOPS", message: "the node stops" }, stream.sentUpTo));
      open.clear();
    },
  };
}
