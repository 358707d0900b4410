import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import type { Libp2p, MessageStream, PrivateKey } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { encodeLength } from "../../src/network/frames.ts";

export interface HostilePeerOptions {
  /** Several peers may have the same. Default: one of its own. */
  readonly privateKey?: PrivateKey;
  /** Whether it says what it speaks, without which it is never announced. Default true. */
  readonly identifies?: boolean;
  /** Told of each connection below its multiplexer: what is sent there, the other end takes for frames of yamux. */
  readonly onSecured?: (connection: MessageStream) => void;
}

const yamuxBelow =
  (onSecured: (connection: MessageStream) => void): ReturnType<typeof yamux> =>
  () => {
    const factory = yamux()();
    const create = factory.createStreamMuxer.bind(factory);
    return Object.assign(factory, {
      createStreamMuxer(connection: MessageStream) {
        onSecured(connection);
        return create(connection);
      },
    });
  };

/** A bare libp2p node that speaks to our network without our code, so that it can say what ours never would. */
export function createHostilePeer(options: HostilePeerOptions = {}): Promise<Libp2p> {
  const { privateKey, identifies = true, onSecured = () => {} } = options;
  return createLibp2p({
    ...(privateKey && { privateKey }),
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamuxBelow(onSecured)],
    connectionManager: { reconnectRetries: 0 },
    services: { ping: ping(), ...(identifies && { identify: identify() }) },
  });
}

/** The protobuf of an RPC with one message, by hand: message = field 2 { data = 2, topic = 4 }. */
export function gossipFrame(topic: string, data: Uint8Array): Uint8Array {
  const field = (tag: number, value: Uint8Array) => Buffer.concat([Uint8Array.of(tag), framed(value)]);
  return framed(field(0x12, Buffer.concat([field(0x12, data), field(0x22, Buffer.from(topic))])));
}

/** A frame as the request protocols and gossip use it. */
export function framed(payload: Uint8Array): Uint8Array {
  return Buffer.concat([encodeLength(payload.length), payload]);
}
