import { createParser } from "eventsource-parser";
import type { NodeEvent } from "../api/index.ts";
import { ApiError } from "./errors.ts";
import { errorOf, type HttpOptions, unreachable } from "./http.ts";

/** An event as the stream delivers it. `id` names it for a later resume. */
export type ReceivedEvent = NodeEvent & { readonly id: string };

/** An event longer than this is not ours: a reorg of 1,000 full blocks stays well below it. */
const MAX_EVENT_CHARACTERS = 64 * 1024 * 1024;
/** The server's heartbeat comes every 15 s; three missed ones mean a dead connection. */
const SILENCE_MS = 45_000;

/**
 * Events from now on, until the signal is aborted (then it returns) or the connection ends (then it throws an
 * `ApiError`: the caller reads the present state again and reconnects).
 */
export async function* readEvents(options: HttpOptions, signal: AbortSignal): AsyncGenerator<ReceivedEvent> {
  const received: ReceivedEvent[] = [];
  let buffered = 0;
  const parser = createParser({
    onEvent: ({ id, event, data }) => {
      buffered = 0;
      received.push({ id: id ?? "", type: event, data: JSON.parse(data) } as ReceivedEvent);
    },
  });
  const silence = new AbortController();
  let alarm: NodeJS.Timeout | undefined;
  const heard = (): void => {
    clearTimeout(alarm);
    alarm = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  try {
    heard();
    const response = await fetch(`${options.url}/v1/events`, {
      headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
      signal: AbortSignal.any([signal, silence.signal]),
      redirect: "error",
    });
    if (!response.ok) throw await errorOf(response, options.url);
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      heard();
      buffered += chunk.length;
      if (buffered > MAX_EVENT_CHARACTERS)
        throw new ApiError("API_ANSWER_INVALID", 200, "an event is too long to be one");
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      yield* received.splice(0);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError) throw error;
    throw unreachable(options.url, error);
  } finally {
    clearTimeout(alarm);
  }
  if (signal.aborted) return;
  throw new ApiError(
    "API_STREAM_ENDED",
    0,
    `${options.url} ended the event stream; the node may have stopped`,
  );
}
