import { noise } from "@chainsafe/libp2p-noise";
import type {
  ConnectionEncrypter,
  MessageStream,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxer,
  StreamMuxerFactory,
} from "@libp2p/interface";
import { yamux } from "@libp2p/yamux";
import type { PeerName } from "../ports/index.ts";

const MAX_INBOUND_STREAMS_PER_CONNECTION = 256;
/**
 * What a peer may send on one stream before we take it: the greatest response, so that it needs no second round trip.
 * And so the greatest data frame of an honest peer. Js-libp2p itself believes any length up to 4 GiB, and keeps bytes
 * until that many are there, whatever the stream's window.
 */
const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
/**
 * Bytes below the streams that the peer has not taken yet. Streams pause when the socket is full, so only answers to
 * pings and resets pile up here: those of a peer that asks on and on and does not read.
 */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;

const YAMUX = {
  maxInboundStreams: MAX_INBOUND_STREAMS_PER_CONNECTION,
  streamOptions: { maxStreamWindowSize: MAX_WINDOW_BYTES },
};

const HEADER_BYTES = 12;
const DATA_FRAME = 0;

/** The parts of js-libp2p's class that its public interface leaves out. A test of each notices when they move. */
interface MuxerInternals extends StreamMuxer {
  onData(bytes: unknown): void;
  readonly decoder: {
    readonly buffer: {
      readonly byteLength: number;
      get(index: number): number;
      getUint32(index: number): number;
    };
  };
}

export interface GuardDeps {
  /** Closes the peer's connections; the reason is logged. */
  punish(peer: PeerName, reason: string): void;
}

/** Noise and yamux, made to cost a peer its connection, with a logged reason, where js-libp2p trusts or stays silent. */
export function guardedTransport(deps: GuardDeps) {
  /** Whom noise has named at the other end. */
  const peers = new WeakMap<object, PeerName>();

  function punish(connection: MessageStream, reason: string): void {
    const peer = peers.get(connection);
    if (peer !== undefined) deps.punish(peer, reason);
    connection.abort(new Error(reason));
  }

  function note<Extension>(secured: SecuredConnection<Extension>): SecuredConnection<Extension> {
    peers.set(secured.connection, secured.remotePeer.toString());
    return secured;
  }

  function guardEncrypter(encrypter: ConnectionEncrypter): ConnectionEncrypter {
    const inbound = encrypter.secureInbound.bind(encrypter);
    const outbound = encrypter.secureOutbound.bind(encrypter);
    return Object.assign(encrypter, {
      secureInbound: async (connection: MessageStream, options?: SecureConnectionOptions) =>
        note(await inbound(connection, options)),
      secureOutbound: async (connection: MessageStream, options?: SecureConnectionOptions) =>
        note(await outbound(connection, options)),
    });
  }

  function guardMuxer(factory: StreamMuxerFactory): StreamMuxerFactory {
    const create = factory.createStreamMuxer.bind(factory);
    return Object.assign(factory, {
      createStreamMuxer(connection: MessageStream): StreamMuxer {
        const muxer = create(connection) as MuxerInternals;
        const take = muxer.onData.bind(muxer);
        muxer.onData = (bytes) => {
          try {
            take(bytes);
            refuseLongFrame(muxer.decoder.buffer);
          } catch (error) {
            if (isFault(error)) punish(connection, "malformed multiplexer frame");
            throw error;
          }
          if (connection.writeBufferLength > MAX_UNSENT_BYTES) punish(connection, "reads no answers");
        };
        return muxer;
      },
    });
  }

  return {
    encrypter: (components: Parameters<ReturnType<typeof noise>>[0]) => guardEncrypter(noise()(components)),
    muxer: () => guardMuxer(yamux(YAMUX)()),
  };
}

class FrameTooLongError extends Error {
  override readonly name = "FrameTooLongError";
}

/** Looks at what is kept of a frame that is not whole yet. */
function refuseLongFrame(buffer: MuxerInternals["decoder"]["buffer"]): void {
  if (buffer.byteLength < HEADER_BYTES || buffer.get(1) !== DATA_FRAME) return;
  const length = buffer.getUint32(8);
  if (length > MAX_WINDOW_BYTES) throw new FrameTooLongError(`a data frame of ${length} bytes`);
}

/** Whether the peer's bytes are at fault: an answer that could not be sent, say, is nobody's. */
function isFault(error: unknown): boolean {
  const { name, reason } = error as { readonly name?: string; readonly reason?: unknown };
  // Yamux gives protocol errors a reason for its goodbye; streams of the wrong side's numbers come without.
  return (
    error instanceof FrameTooLongError || typeof reason === "number" || name === "InvalidParametersError"
  );
}
