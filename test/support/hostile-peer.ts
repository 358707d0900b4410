import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import type { Libp2p } from "@libp2p/interface";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { encodeLength } from "../../src/network/frames.ts";

/** A bare libp2p node that speaks to our network without our code, so that it can say what ours never would. */
export function createHostilePeer(): Promise<Libp2p> {
  return createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { reconnectRetries: 0 },
    services: { identify: identify(), ping: ping() },
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
