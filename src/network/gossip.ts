import { createHash } from "node:crypto";
import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  type Message,
  StrictNoSign,
  type TopicValidatorResult,
} from "@libp2p/gossipsub";
import type { PeerId, Stream } from "@libp2p/interface";
import {
  delay,
  type GossipValidator,
  type GossipVerdict,
  type Logger,
  NetworkError,
  type PeerName,
  type Timers,
} from "../ports/index.ts";
import type { GossipOutcome, NetworkMetrics } from "./metrics.ts";

const HEARTBEAT_MS = 700;
/** How long a message is kept for a late verdict and for peers that ask for it. */
const MESSAGE_CACHE_HEARTBEATS = 30;
/** A later verdict could not be forwarded any more (js-libp2p drops the message without a word). */
const VALIDATION_TIMEOUT_MS = (MESSAGE_CACHE_HEARTBEATS - 2) * HEARTBEAT_MS;
const SEEN_TTL_MS = 120_000;
/** Messages of one topic that wait for a verdict; more are ignored, for a flood must not become a queue. */
const MAX_PENDING_VALIDATIONS_PER_TOPIC = 1_024;
/** Of them, those that one peer passed on: whoever floods a topic must not take the others' places. */
const MAX_PENDING_VALIDATIONS_PER_PEER = 128;
/** One RPC can carry several messages; js-libp2p itself sends none above 4 MiB. */
const MAX_RPC_BYTES = 4 * 1024 * 1024;
const MAX_OUTBOUND_BUFFER_BYTES = 16 * 1024 * 1024;

/** What it-length-prefixed says of lengths that are too great or no lengths at all. */
const BAD_LENGTH_ERRORS: ReadonlySet<string> = new Set([
  "InvalidMessageLengthError",
  "InvalidDataLengthError",
  "InvalidDataLengthLengthError",
  // Of the varint itself.
  "RangeError",
]);

export interface Topic {
  readonly maxBytes: number;
  readonly validate: GossipValidator;
}

export interface GossipDeps {
  readonly timers: Timers;
  readonly logger: Logger;
  readonly metrics: Pick<NetworkMetrics, "topic">;
  /** Closes the peer's connections; the reason is logged. */
  punish(peer: PeerName, reason: string): void;
  /** Closes the peer's connections, by no fault of its own. */
  cut(peer: PeerName, reason: string): void;
}

/** The parts of js-libp2p's class that its public interface leaves out. A test of each notices when they move. */
interface GossipInternals {
  reportMessageValidationResult(id: string, source: PeerName, verdict: TopicValidatorResult): void;
  handlePeerReadStreamError(error: Error, peer: PeerId): void;
  stop(): Promise<void>;
  readonly status: { readonly heartbeatTimeout?: NodeJS.Timeout };
  readonly streamsOutbound: Map<PeerName, { readonly rawStream: Pick<Stream, "status"> }>;
  readonly seenCache: { readonly entries: Map<string, unknown> };
}

type Router = GossipSub & GossipInternals;

/** Content decides the identity, so that one message has one id whoever publishes it. docs/protocol.md, "Gossip". */
export function gossipMessageId(topic: string, data: Uint8Array): Uint8Array {
  const topicBytes = Buffer.from(topic);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(topicBytes.length);
  return createHash("sha256").update(length).update(topicBytes).update(data).digest();
}

/** Gossipsub as this project wants it, as a libp2p service. */
export function gossipService(
  topics: ReadonlyMap<string, Topic>,
): (components: GossipSubComponents) => GossipSub {
  const create = gossipsub({
    // Content proves itself (work, signatures); an author would only tell who is behind an address.
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: (message: Message) => gossipMessageId(message.topic, message.data),
    asyncValidation: true,
    allowedTopics: [...topics.keys()],
    fallbackToFloodsub: false,
    doPX: false,
    emitSelf: false,
    // A node alone, or just split off, publishes into the void; the status exchange repairs that.
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // The mesh already covers a small cluster; flooding would double the upload of a big one.
    floodPublish: false,
    D: 8,
    Dlo: 6,
    Dhi: 12,
    Dscore: 4,
    Dout: 2,
    Dlazy: 6,
    heartbeatInterval: HEARTBEAT_MS,
    mcacheLength: MESSAGE_CACHE_HEARTBEATS,
    mcacheGossip: 4,
    seenTTL: SEEN_TTL_MS,
    maxInboundDataLength: MAX_RPC_BYTES,
    maxOutboundBufferSize: MAX_OUTBOUND_BUFFER_BYTES,
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    maxTopicBytesPerPeer: 64 * 1024,
    decodeRpcLimits: {
      maxSubscriptions: 64,
      maxMessages: 1_024,
      maxIhaveMessageIDs: 5_000,
      maxIwantMessageIDs: 5_000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 512,
      maxPeerInfos: 16,
    },
    scoreParams: {
      // All nodes of a local cluster share one address.
      IPColocationFactorWeight: 0,
      // A busy node breaks a promise now and then; only a habit counts.
      behaviourPenaltyThreshold: 6,
      // A disconnected peer's score is kept so long; each one takes memory.
      retainScore: 60_000,
    },
    // Penalties are the room's, by disconnecting; the score alone only silences who misbehaves without end.
    scoreThresholds: { gossipThreshold: -4_000, publishThreshold: -8_000, graylistThreshold: -16_000 },
  });
  return (components) => withoutLateHeartbeat(create(components) as Router);
}

/** Its own stop leaves the next heartbeat waiting: that would still run, and keep the process alive until then. */
function withoutLateHeartbeat(router: Router): GossipSub {
  const stop = router.stop.bind(router);
  router.stop = async () => {
    const { heartbeatTimeout } = router.status;
    await stop();
    clearTimeout(heartbeatTimeout);
  };
  return router;
}

/** Topics over a running router. */
export interface Gossip {
  publish(topic: string, data: Uint8Array): Promise<void>;
  /** Peers that the router tracks; a subset of the connected ones, or something leaks. */
  peers(): readonly PeerName[];
  /**
   * To be called when a connection is identified, before the router opens its stream to the peer. A connection that ends
   * while that stream is being opened leaves the dead stream with the router, which then opens no other one, ever.
   */
  forgetDeadStream(peer: PeerName): void;
}

/** Joins the topics and sees to it that every message gets exactly one verdict. The router must have started. */
export function runGossip(deps: GossipDeps, service: GossipSub, topics: ReadonlyMap<string, Topic>): Gossip {
  const router = service as Router;
  const pending = new Map<string, number>();
  const pendingOfPeer = new Map<string, number>();
  const counted = new Map([...topics.keys()].map((name) => [name, deps.metrics.topic(name)]));

  async function judge(topicName: string, from: PeerName, data: Uint8Array): Promise<GossipOutcome> {
    const topic = topics.get(topicName);
    if (topic === undefined) return "ignore";
    if (data.length > topic.maxBytes) {
      deps.punish(from, "oversize gossip");
      return "reject";
    }
    const place = `${topicName} ${from}`;
    const waiting = pending.get(topicName) ?? 0;
    const ofPeer = pendingOfPeer.get(place) ?? 0;
    if (waiting >= MAX_PENDING_VALIDATIONS_PER_TOPIC || ofPeer >= MAX_PENDING_VALIDATIONS_PER_PEER) {
      deps.logger.debug({ topic: topicName, peer: from }, "too many gossip messages wait for a verdict");
      return "no-room";
    }
    pending.set(topicName, waiting + 1);
    pendingOfPeer.set(place, ofPeer + 1);
    try {
      return await withTimeout(deps.timers, topic.validate(from, data));
    } catch (error) {
      deps.logger.error({ topic: topicName, error }, "a gossip validator failed");
      return "ignore";
    } finally {
      pending.set(topicName, (pending.get(topicName) ?? 1) - 1);
      const rest = (pendingOfPeer.get(place) ?? 1) - 1;
      if (rest === 0) pendingOfPeer.delete(place);
      else pendingOfPeer.set(place, rest);
    }
  }

  router.addEventListener("gossipsub:message", ({ detail: { msg, msgId, propagationSource } }) => {
    const from = propagationSource.toString();
    judge(msg.topic, from, msg.data)
      .then((outcome) => {
        counted.get(msg.topic)?.judged(outcome, msg.data.length);
        const verdict = outcome === "no-room" ? "ignore" : outcome;
        router.reportMessageValidationResult(msgId, from, verdict as TopicValidatorResult);
        // Or whoever floods us could keep any message from us: by bringing it first, when there is no room for it.
        if (outcome === "no-room") router.seenCache.entries.delete(msgId);
      })
      .catch((error: unknown) =>
        deps.logger.error({ topic: msg.topic, error }, "a gossip verdict was not taken"),
      );
  });

  // When a peer's gossip cannot be read any more, js-libp2p forgets the peer for gossip and keeps the connection: the
  // two would stay connected and deaf, so the connection ends too. A length that no honest peer writes is the peer's
  // fault; a stream that ended, in the middle of a frame as a node that stops may leave it, is nobody's.
  const forgetPeer = router.handlePeerReadStreamError.bind(router);
  router.handlePeerReadStreamError = (error, peer) => {
    forgetPeer(error, peer);
    if (BAD_LENGTH_ERRORS.has(error.name)) deps.punish(peer.toString(), "unreadable gossip");
    else deps.cut(peer.toString(), "its gossip ended");
  };

  for (const name of topics.keys()) router.subscribe(name);

  return {
    async publish(topic, data) {
      const maxBytes = topics.get(topic)?.maxBytes;
      if (maxBytes === undefined) throw new Error(`the topic ${topic} was not joined`);
      if (data.length > maxBytes) {
        throw new NetworkError(
          "NETWORK_OVERSIZE",
          `a message of ${data.length} bytes on a topic of ${maxBytes}`,
        );
      }
      await router.publish(topic, data);
      counted.get(topic)?.published.increment();
    },
    peers: () => router.getPeers().map((peer) => peer.toString()),
    forgetDeadStream(peer) {
      const stream = router.streamsOutbound.get(peer)?.rawStream;
      if (stream !== undefined && stream.status !== "open") router.streamsOutbound.delete(peer);
    },
  };
}

async function withTimeout(timers: Timers, verdict: Promise<GossipVerdict>): Promise<GossipVerdict> {
  const late = new AbortController();
  try {
    return await Promise.race([
      verdict,
      delay(timers, VALIDATION_TIMEOUT_MS, late.signal).then((): never => {
        throw new Error(`no verdict within ${VALIDATION_TIMEOUT_MS} ms`);
      }),
    ]);
  } finally {
    late.abort();
  }
}
