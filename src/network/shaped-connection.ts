import type { AbortOptions, MultiaddrConnection } from "@libp2p/interface";
import { Uint8ArrayList } from "uint8arraylist";
import { createHeldBytes, type HeldBytes, type HeldBytesDeps, type LinkShapes } from "../ports/index.ts";

interface SendResult {
  readonly sentBytes: number;
  readonly canSendMore: boolean;
}

/** The parts of js-libp2p's TCP connection that its public interface leaves out. A test of each notices when they move. */
interface TcpConnection extends MultiaddrConnection {
  /** Hands bytes to the socket; "drain" follows where it cannot take more. */
  sendData(data: Uint8ArrayList): SendResult;
  sendPause(): void;
  sendResume(): void;
  sendClose(options?: AbortOptions): Promise<void>;
  /** Bytes from the socket. */
  onData(data: Uint8Array): void;
  onTransportClosed(error?: Error): void;
  safeDispatchEvent(name: "drain"): boolean;
  readonly readStatus: string;
}

/** What a connection's own methods are replaced by while it is shaped; theirs are those of its class. */
const REPLACED = ["sendData", "sendClose", "sendPause", "sendResume", "onData", "onTransportClosed"] as const;
type Replaced = Pick<TcpConnection, (typeof REPLACED)[number]>;

/** What stands in the line for the end of what the peer sent. */
const END = Symbol("end");

/** Settles as the promise does, or with the signal's reason. */
async function unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

export interface ShapedConnection {
  shape(shapes: LinkShapes): void;
}

/**
 * Shapes a TCP connection below noise. One that is whole has the methods of its class and costs nothing; while it is
 * shaped, and until what it holds is delivered, its own stand before them.
 */
export function shapeConnection(
  deps: HeldBytesDeps,
  maConnection: MultiaddrConnection,
  shapes: LinkShapes,
): ShapedConnection {
  const connection = maConnection as TcpConnection;
  const plain = Object.getPrototypeOf(connection) as Replaced;
  let present: LinkShapes = {};
  let isReplaced = false;

  /** Sending: the sender was told to wait; the socket told us to; one "drain" tells of either. */
  let senderWaits = false;
  let socketIsFull = false;
  let isOurDrain = false;

  /** Reading: whoever reads has paused; we have paused the socket. */
  let readerPaused = false;
  let socketPaused = false;
  let ended = false;

  /** Closing waits until all that was to be sent is with the socket. */
  const sent = Promise.withResolvers<void>();
  let isClosing = false;

  const out: HeldBytes<Uint8ArrayList> = createHeldBytes(deps, {
    isOpen: () => !socketIsFull,
    deliver(piece) {
      const { sentBytes, canSendMore } = plain.sendData.call(connection, piece);
      socketIsFull = !canSendMore;
      // It stops after the array that made it full. A single one it always takes.
      if (sentBytes < piece.byteLength)
        plain.sendData.call(connection, new Uint8ArrayList(piece.subarray(sentBytes)));
    },
    onRoom: tellRoom,
    onEmpty() {
      if (isClosing) sent.resolve();
      restoreIfWhole();
    },
  });
  const into: HeldBytes<Uint8Array | typeof END> = createHeldBytes(deps, {
    isOpen: () => !readerPaused,
    deliver(piece) {
      if (piece === END) plain.onTransportClosed.call(connection);
      else plain.onData.call(connection, piece);
    },
    onRoom() {
      socketPaused = false;
      if (!readerPaused && connection.status === "open") plain.sendResume.call(connection);
    },
    onEmpty: restoreIfWhole,
  });

  function tellRoom(): void {
    if (!senderWaits) return;
    senderWaits = false;
    isOurDrain = true;
    connection.safeDispatchEvent("drain");
    isOurDrain = false;
  }

  const replacements: Replaced = {
    sendData(data) {
      if (present.out === undefined && out.isEmpty()) return plain.sendData.call(connection, data);
      const room = out.room();
      const taken = room >= data.byteLength ? data : data.sublist(0, Math.max(0, room));
      const sentBytes = taken.byteLength;
      // As one piece: what is sent at once fills segments together.
      if (sentBytes > 0) out.push(taken, sentBytes);
      senderWaits = out.room() < 1;
      return { sentBytes, canSendMore: !senderWaits };
    },
    async sendClose(options) {
      isClosing = true;
      if (!out.isEmpty()) await unlessAborted(sent.promise, options?.signal);
      await plain.sendClose.call(connection, options);
    },
    sendPause() {
      readerPaused = true;
      plain.sendPause.call(connection);
    },
    sendResume() {
      // It took what had come before, and paused again at that: js-libp2p resumes none the less.
      if (connection.readStatus === "paused") return;
      readerPaused = false;
      into.release();
      if (!socketPaused) plain.sendResume.call(connection);
    },
    onData(data) {
      if (present.in === undefined && into.isEmpty()) return plain.onData.call(connection, data);
      into.push(data, data.byteLength);
      if (into.room() >= 1 || socketPaused) return;
      socketPaused = true;
      plain.sendPause.call(connection);
    },
    onTransportClosed(error) {
      // Whoever closed it here expects nothing more of it.
      if (error !== undefined || connection.status !== "open")
        plain.onTransportClosed.call(connection, error);
      else if (!ended) {
        ended = true;
        into.push(END, 0);
      }
    },
  };

  function onDrain(): void {
    if (isOurDrain) return;
    socketIsFull = false;
    out.release();
  }

  function onClose(): void {
    out.clear();
    into.clear();
    sent.resolve();
    connection.removeEventListener("drain", onDrain);
  }

  function replace(): void {
    if (isReplaced || connection.status !== "open") return;
    isReplaced = true;
    readerPaused = connection.readStatus === "paused";
    connection.addEventListener("drain", onDrain);
    connection.addEventListener("close", onClose, { once: true });
    Object.assign(connection, replacements);
  }

  function restoreIfWhole(): void {
    const isWhole = present.out === undefined && present.in === undefined;
    if (!isReplaced || !isWhole || !out.isEmpty() || !into.isEmpty() || isClosing) return;
    isReplaced = false;
    for (const name of REPLACED) Reflect.deleteProperty(connection, name);
    connection.removeEventListener("drain", onDrain);
    connection.removeEventListener("close", onClose);
    tellRoom();
  }

  function shape(wanted: LinkShapes): void {
    const before = present;
    present = wanted;
    if (wanted.out !== undefined || wanted.in !== undefined) replace();
    if (!isReplaced) return;
    if (wanted.out !== before.out) out.reshape(wanted.out);
    if (wanted.in !== before.in) into.reshape(wanted.in);
  }

  shape(shapes);
  return { shape };
}
