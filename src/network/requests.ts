import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { Uint8ArrayList } from "uint8arraylist";
import {
  type Logger,
  NetworkError,
  type PeerName,
  type RequestHandler,
  type RequestLimits,
  type Timers,
} from "../ports/index.ts";
import { createFrameReader, encodeLength, type FrameFault } from "./frames.ts";
import type { NetworkMetrics } from "./metrics.ts";
import { createUnread } from "./unread.ts";

/** Above it a request is refused, whatever its protocol: work we do for one peer at a time. */
const MAX_INBOUND_REQUESTS_PER_PEER = 16;
/** Streams that libp2p lets a peer open per protocol, negotiation included; a little above the limit that answers. */
const MAX_INBOUND_STREAMS = 2 * MAX_INBOUND_REQUESTS_PER_PEER;
const MAX_OUTBOUND_STREAMS = 64;
/** How long a stream may stay half open after the response. */
const LINGER_MS = 2_000;
const CONNECTION_END_GRACE_MS = 20;

export interface RequestsDeps {
  readonly timers: Timers;
  readonly logger: Logger;
  readonly metrics: Pick<NetworkMetrics, "protocol">;
  /** Closes the peer's connections; the reason is logged. */
  punish(peer: PeerName, reason: string): void;
}

export interface Served {
  readonly limits: RequestLimits;
  readonly handler: RequestHandler;
}

/** Both sides of the request protocols: one stream per exchange, one frame each way. */
export interface Requests {
  /** Registers the served protocols with a host that has not started yet. */
  register(host: Pick<Libp2p, "handle">, served: ReadonlyMap<string, Served>): Promise<void>;
  /** The client's side, over an open connection. See `Network.request`. */
  ask(
    connection: Connection,
    protocol: string,
    request: Uint8Array,
    limits: RequestLimits,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array>;
}

export function createRequests(deps: RequestsDeps): Requests {
  const inFlight = new Map<PeerName, number>();
  const unread = createUnread();

  async function serve(stream: Stream, peer: PeerName, protocol: string, served: Served): Promise<void> {
    const counted = deps.metrics.protocol(protocol);
    const count = inFlight.get(peer) ?? 0;
    if (count >= MAX_INBOUND_REQUESTS_PER_PEER) {
      counted.served("too-many");
      stream.abort(new Error("too many requests at once"));
      return;
    }
    inFlight.set(peer, count + 1);
    // Once the asker is gone nobody waits for the handler.
    const abandoned = new AbortController();
    const onClose = () => abandoned.abort(new Error("the stream was closed"));
    stream.addEventListener("close", onClose);
    const deadline = createDeadline(deps.timers, served.limits, abandoned.signal);
    let release: (() => void) | undefined;
    const onSurplus = () => deps.punish(peer, "malformed request");
    try {
      const request = await receiveFrame(stream, served.limits.maxRequestBytes, deadline, onSurplus);
      const response = await deadline.race(served.handler(peer, request));
      release = unread.hold(peer, bytesOf(response), stream);
      stream.removeEventListener("close", onClose);
      sendFrame(stream, response);
      await deadline.race(stream.close());
      if (!isClosed(stream)) await deadline.race(closed(stream));
      counted.served("ok", bytesOf(response));
    } catch (error) {
      counted.served("failed");
      stream.abort(toError(error));
      if (error instanceof FrameError) deps.punish(peer, `${error.fault} request`);
      deps.logger.debug({ peer, protocol, error }, "a request was not answered");
    } finally {
      release?.();
      deadline.clear();
      const rest = (inFlight.get(peer) ?? 1) - 1;
      if (rest === 0) inFlight.delete(peer);
      else inFlight.set(peer, rest);
    }
  }

  return {
    async register(host, servedByProtocol) {
      for (const [protocol, served] of servedByProtocol) {
        const handler = (stream: Stream, connection: Connection) => {
          void serve(stream, connection.remotePeer.toString(), protocol, served);
        };
        // All its numbers are there from the start.
        deps.metrics.protocol(protocol);
        await host.handle(protocol, handler, {
          maxInboundStreams: MAX_INBOUND_STREAMS,
          maxOutboundStreams: MAX_OUTBOUND_STREAMS,
        });
      }
    },

    async ask(connection, protocol, request, limits, signal) {
      const peer = connection.remotePeer.toString();
      const deadline = createDeadline(deps.timers, limits, signal);
      let stream: Stream | undefined;
      try {
        stream = await connection.newStream(protocol, {
          signal: deadline.signal,
          maxOutboundStreams: MAX_OUTBOUND_STREAMS,
        });
        sendFrame(stream, [request]);
        // Only says that we have no more to say; it must not delay reading.
        stream.close().catch(() => {});
        const onSurplus = () => deps.punish(peer, "malformed response");
        const response = await receiveFrame(stream, limits.maxResponseBytes, deadline, onSurplus);
        abortUnlessClosed(deps.timers, stream);
        return response;
      } catch (error) {
        stream?.abort(toError(error));
        // What the caller or the clock decided comes first: it is often the cause of what the stream says.
        if (deadline.signal.aborted) throw deadline.signal.reason;
        if (!(error instanceof FrameError)) await connectionEnds(deps.timers, connection);
        const failure = asNetworkError(error, connection);
        if (error instanceof FrameError && connection.status === "open")
          deps.punish(peer, `${error.fault} response`);
        throw failure;
      } finally {
        deadline.clear();
      }
    },
  };
}

class FrameError extends Error {
  readonly fault: FrameFault;
  constructor(fault: FrameFault) {
    super(`the frame is ${fault}`);
    this.fault = fault;
  }
}

function asNetworkError(error: unknown, connection: Connection): NetworkError {
  if (error instanceof NetworkError) return error;
  const peer = connection.remotePeer.toString();
  if (connection.status !== "open" && !(error instanceof FrameError && error.fault === "oversize")) {
    return new NetworkError("NETWORK_NOT_CONNECTED", `the connection to ${peer} was lost`, { cause: error });
  }
  if (error instanceof FrameError) {
    const code = error.fault === "oversize" ? "NETWORK_OVERSIZE" : "NETWORK_MALFORMED";
    return new NetworkError(code, `${peer} sent a response that is ${error.fault}`, { cause: error });
  }
  if (error instanceof Error && error.name === "UnsupportedProtocolError")
    return new NetworkError("NETWORK_UNSUPPORTED", `${peer} does not speak the protocol`, { cause: error });
  return new NetworkError("NETWORK_REFUSED", `${peer} did not answer`, { cause: error });
}

const toError = (error: unknown): Error =>
  error instanceof Error ? error : new Error("aborted", { cause: error });

/** The two deadlines of an exchange and the caller's signal, as one signal. */
interface Deadline {
  readonly signal: AbortSignal;
  /** The other side has begun to speak: from now on only the total deadline counts. */
  firstByteSeen(): void;
  /** The promise's result, or the deadline's reason. */
  race<T>(work: Promise<T>): Promise<T>;
  clear(): void;
}

function createDeadline(timers: Timers, limits: RequestLimits, outer: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  const timeOut = (timeoutMs: number, what: string) =>
    timers.set(timeoutMs, () => {
      controller.abort(new NetworkError("NETWORK_TIMEOUT", `${what} within ${timeoutMs} ms`));
    });
  const firstByte = timeOut(limits.firstByteTimeoutMs, "not a byte");
  const total = timeOut(limits.totalTimeoutMs, "not finished");
  const onOuterAbort = () => controller.abort(outer?.reason);
  if (outer?.aborted) onOuterAbort();
  outer?.addEventListener("abort", onOuterAbort, { once: true });
  return {
    signal: controller.signal,
    firstByteSeen: () => timers.clear(firstByte),
    race(work) {
      return new Promise((resolve, reject) => {
        if (controller.signal.aborted) reject(controller.signal.reason);
        const onAbort = () => reject(controller.signal.reason);
        controller.signal.addEventListener("abort", onAbort, { once: true });
        work.then(resolve, reject).finally(() => controller.signal.removeEventListener("abort", onAbort));
      });
    },
    clear() {
      timers.clear(firstByte);
      timers.clear(total);
      outer?.removeEventListener("abort", onOuterAbort);
    },
  };
}

/** Sends the pieces as one frame, without a copy of them. */
function sendFrame(stream: Stream, payload: readonly Uint8Array[]): void {
  const frame = new Uint8ArrayList(encodeLength(bytesOf(payload)), ...payload);
  // The whole frame waits in the stream's buffer while the peer's window is small; it is bounded by the frame itself.
  stream.maxWriteBufferLength = frame.length;
  stream.send(frame);
}

/**
 * Settles with the frame's payload once it is whole, and calls `onSurplus` should the stream bring more later. Then it
 * listens as long as the stream lives: what nobody listens to would pile up in the stream's buffer.
 */
function receiveFrame(
  stream: Stream,
  maxBytes: number,
  deadline: Deadline,
  onSurplus: () => void,
): Promise<Uint8Array> {
  const reader = createFrameReader(maxBytes);
  return new Promise((resolve, reject) => {
    const finish = () => {
      stream.removeEventListener("message", onMessage);
      stream.removeEventListener("end", onEnd);
      stream.removeEventListener("close", onClose);
      deadline.signal.removeEventListener("abort", onAbort);
    };
    const fail = (reason: unknown) => {
      finish();
      reject(reason);
    };
    const onMessage = (event: { readonly data: Uint8Array | { subarray(): Uint8Array } }) => {
      deadline.firstByteSeen();
      const result = reader.push(event.data.subarray());
      if (result === undefined) return;
      if (typeof result === "string") return fail(new FrameError(result));
      finish();
      stream.addEventListener("message", onSurplus);
      resolve(result);
    };
    // Half a frame and then a proper end is a fault. Silence, a reset or a lost connection is not.
    const onEnd = () => {
      const properEnd = stream.status === "open" || stream.status === "closing" || stream.status === "closed";
      fail(
        properEnd && reader.receivedBytes > 0 ? new FrameError("malformed") : new Error("the stream ended"),
      );
    };
    const onClose = (event: { readonly error?: Error }) => {
      if (event.error === undefined) onEnd();
      else fail(event.error);
    };
    const onAbort = () => fail(deadline.signal.reason);
    if (deadline.signal.aborted) return onAbort();
    deadline.signal.addEventListener("abort", onAbort, { once: true });
    stream.addEventListener("end", onEnd);
    stream.addEventListener("close", onClose);
    stream.addEventListener("message", onMessage);
    if (stream.readableEnded) onEnd();
  });
}

const bytesOf = (pieces: readonly Uint8Array[]): number =>
  pieces.reduce((bytes, piece) => bytes + piece.length, 0);

const isClosed = (stream: Stream): boolean => stream.status !== "open" && stream.status !== "closing";

/** Settles when both ends have closed, which must not have happened yet. */
function closed(stream: Stream): Promise<void> {
  return new Promise((resolve) => stream.addEventListener("close", () => resolve(), { once: true }));
}

/** A peer that answered but never closes its end would leave us a half-open stream for each answer. */
function abortUnlessClosed(timers: Timers, stream: Stream): void {
  if (isClosed(stream)) return;
  const timer = timers.set(LINGER_MS, () =>
    stream.abort(new Error("the stream stayed open after its frame")),
  );
  void closed(stream).then(() => timers.clear(timer));
}

/**
 * A lost connection shows as reset streams a moment before it shows as lost; waits for that moment, so that a loss is
 * not reported as a refusal.
 */
function connectionEnds(timers: Timers, connection: Connection): Promise<void> {
  if (connection.status !== "open") return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      connection.removeEventListener("close", finish);
      timers.clear(timer);
      resolve();
    };
    const timer = timers.set(CONNECTION_END_GRACE_MS, finish);
    connection.addEventListener("close", finish);
  });
}
