import type { ServerResponse } from "node:http";
import type { Timers } from "../ports/index.ts";
import type { NodeEvent } from "./schemas/index.ts";
import { ServiceError } from "./service.ts";

/** Open streams at a time: each holds a socket and up to `MAX_UNSENT_BYTES`. */
export const MAX_STREAMS = 64;
/** What a client may leave unread before it is closed. It reconnects and reads the present state instead. */
export const MAX_UNSENT_BYTES = 1024 * 1024;
/** Proxies and laptops drop silent connections after some 30 s. */
const HEARTBEAT_MS = 15_000;

export interface EventStreams {
  /** Turns a response into a stream of server-sent events until either side closes it. */
  open(response: ServerResponse): void;
  publish(event: NodeEvent): void;
  /** Streams open now. */
  readonly size: number;
  close(): void;
}

/**
 * Sends events to many readers. Each event gets an id "<epoch>-<n>", n counting up; the epoch tells the runs of the
 * daemon apart.
 */
export function createEventStreams(
  deps: { readonly timers: Timers },
  options: { readonly epoch: string },
): EventStreams {
  const open = new Set<ServerResponse>();
  let sequence = 0;

  function send(response: ServerResponse, text: string): void {
    // Looked at before writing, so that one event of any size reaches a client that keeps up.
    if (response.writableLength > MAX_UNSENT_BYTES) {
      open.delete(response);
      response.destroy();
      return;
    }
    response.write(text);
  }

  function beat(): void {
    for (const response of open) send(response, ": still here\n\n");
    heartbeat = deps.timers.set(HEARTBEAT_MS, beat);
  }
  let heartbeat = deps.timers.set(HEARTBEAT_MS, beat);

  return {
    open(response) {
      if (open.size >= MAX_STREAMS) {
        const message = `${MAX_STREAMS} event streams are open already; close one first`;
        throw new ServiceError("STREAMS_EXHAUSTED", 503, message);
      }
      open.add(response);
      response.on("close", () => open.delete(response));
      response.on("error", () => open.delete(response));
      response.writeHead(200, {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      response.write(": events follow\n\n");
    },
    publish({ type, data }) {
      sequence++;
      if (open.size === 0) return;
      const text = `id: ${options.epoch}-${sequence}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
      for (const response of open) send(response, text);
    },
    get size() {
      return open.size;
    },
    close() {
      deps.timers.clear(heartbeat);
      for (const response of open) response.end();
      open.clear();
    },
  };
}
