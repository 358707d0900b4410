import {
  type Clock,
  type Counter,
  eachOf,
  type Metrics,
  NetworkError,
  type NetworkErrorCode,
  SECONDS_BUCKETS,
} from "../ports/index.ts";
import type { TcpBytes } from "./conditioner.ts";
import type { Links } from "./links.ts";

const OUTCOMES: Readonly<Record<NetworkErrorCode, string>> = {
  NETWORK_CLOSED: "closed",
  NETWORK_DIAL_FAILED: "no-answer",
  NETWORK_OTHER_PEER: "other-peer",
  NETWORK_NOT_CONNECTED: "not-connected",
  NETWORK_REFUSED: "refused",
  NETWORK_UNSUPPORTED: "unsupported",
  NETWORK_TIMEOUT: "timeout",
  NETWORK_OVERSIZE: "oversize",
  NETWORK_MALFORMED: "malformed",
  NETWORK_ADDRESS_INVALID: "bad-address",
  NETWORK_PORT_BUSY: "port-busy",
};
const ASK_ERRORS = [
  "NETWORK_NOT_CONNECTED",
  "NETWORK_REFUSED",
  "NETWORK_UNSUPPORTED",
  "NETWORK_TIMEOUT",
  "NETWORK_OVERSIZE",
  "NETWORK_MALFORMED",
] as const;
const DIAL_ERRORS = [
  "NETWORK_DIAL_FAILED",
  "NETWORK_OTHER_PEER",
  "NETWORK_TIMEOUT",
  "NETWORK_ADDRESS_INVALID",
] as const;
/** A verdict, or that there was no room to find one. */
export type GossipOutcome = "accept" | "ignore" | "reject" | "no-room";
const VERDICTS: readonly GossipOutcome[] = ["accept", "ignore", "reject", "no-room"];
const SERVED = ["ok", "failed", "too-many"] as const;

/** One request protocol. */
export interface ProtocolMetrics {
  /** Runs a request of ours, and counts how it ended. */
  ask(requestBytes: number, run: () => Promise<Uint8Array>): Promise<Uint8Array>;
  /** A peer's request was answered, or not; with the bytes of the answer. */
  served(outcome: (typeof SERVED)[number], responseBytes?: number): void;
}

/** One topic. */
export interface TopicMetrics {
  readonly published: Counter;
  judged(outcome: GossipOutcome, sizeBytes: number): void;
}

export interface NetworkMetrics {
  protocol(name: string): ProtocolMetrics;
  topic(name: string): TopicMetrics;
  dial<T>(run: () => Promise<T>): Promise<T>;
  readonly penalties: Counter;
  watch(links: Links, bytes: () => TcpBytes): void;
}

/** "headers" of /cumulo/d6f2a1c0/headers/1: the chain is the same in all of them. */
const kindOf = (name: string): string => name.split("/").at(-2) ?? name;

/** Counts each way to end a promise, by the code of its failure. */
function outcomesOf(
  errors: readonly NetworkErrorCode[],
  declare: (outcome: string) => Counter,
): <T>(run: () => Promise<T>) => Promise<T> {
  const ok = declare("ok");
  const rest = declare("other");
  const byCode = new Map(errors.map((code) => [code, declare(OUTCOMES[code])]));
  return async (run) => {
    try {
      const result = await run();
      ok.increment();
      return result;
    } catch (error) {
      const code = error instanceof NetworkError ? error.code : undefined;
      ((code === undefined ? undefined : byCode.get(code)) ?? rest).increment();
      throw error;
    }
  };
}

export function createNetworkMetrics(metrics: Metrics, clock: Clock): NetworkMetrics {
  const protocols = new Map<string, ProtocolMetrics>();
  const bytes = (kind: string, way: "in" | "out"): Counter =>
    metrics.counter({
      name: "cumulo_network_request_bytes_total",
      help: "Bytes of requests and responses, by the way they went",
      labels: { protocol: kind, way },
    });

  function createProtocol(name: string): ProtocolMetrics {
    const protocol = kindOf(name);
    const [bytesIn, bytesOut] = [bytes(protocol, "in"), bytes(protocol, "out")];
    const counted = outcomesOf(ASK_ERRORS, (outcome) =>
      metrics.counter({
        name: "cumulo_network_requests_total",
        help: "Requests to peers, by how they ended",
        labels: { protocol, outcome },
      }),
    );
    const seconds = metrics.histogram({
      name: "cumulo_network_request_seconds",
      help: "Time until a request to a peer ended",
      labels: { protocol },
      buckets: SECONDS_BUCKETS,
    });
    const served = eachOf(SERVED, (outcome) =>
      metrics.counter({
        name: "cumulo_network_served_requests_total",
        help: "Requests of peers, by how they ended",
        labels: { protocol, outcome },
      }),
    );
    return {
      async ask(requestBytes, run) {
        const startedMs = clock.monotonicMs();
        bytesOut.increment(requestBytes);
        try {
          const response = await counted(run);
          bytesIn.increment(response.length);
          return response;
        } finally {
          seconds.observe((clock.monotonicMs() - startedMs) / 1_000);
        }
      },
      served(outcome, responseBytes = 0) {
        served[outcome].increment();
        bytesOut.increment(responseBytes);
      },
    };
  }

  return {
    protocol(name) {
      const known = protocols.get(name) ?? createProtocol(name);
      protocols.set(name, known);
      return known;
    },
    topic(name) {
      const topic = kindOf(name);
      const verdicts = eachOf(VERDICTS, (verdict) =>
        metrics.counter({
          name: "cumulo_network_gossip_messages_total",
          help: "Gossip messages that came, each once, by verdict",
          labels: { topic, verdict },
        }),
      );
      const received = metrics.counter({
        name: "cumulo_network_gossip_bytes_total",
        help: "Bytes of gossip messages that came, each once",
        labels: { topic },
      });
      return {
        published: metrics.counter({
          name: "cumulo_network_gossip_published_total",
          help: "Gossip messages of our own",
          labels: { topic },
        }),
        judged(outcome, sizeBytes) {
          verdicts[outcome].increment();
          received.increment(sizeBytes);
        },
      };
    },
    dial: outcomesOf(DIAL_ERRORS, (outcome) =>
      metrics.counter({
        name: "cumulo_network_dials_total",
        help: "Dials to peers, by how they ended",
        labels: { outcome },
      }),
    ),
    penalties: metrics.counter({
      name: "cumulo_network_penalties_total",
      help: "Times that a peer broke the protocol or the chain's rules",
    }),
    watch(links, tcpBytes) {
      for (const way of ["in", "out"] as const)
        metrics.counterOf(
          {
            name: "cumulo_network_tcp_bytes_total",
            help: "Bytes of TCP connections with peers, encryption and all, by the way they went",
            labels: { way },
          },
          () => tcpBytes()[way],
        );
      const directions = ["inbound", "outbound"] as const;
      for (const direction of directions)
        metrics.gaugeOf(
          {
            name: "cumulo_network_peers",
            help: "Connected peers, by who dialled",
            labels: { direction },
          },
          () => links.list().filter((one) => one.direction === direction).length,
        );
      const connects = eachOf(directions, (direction) =>
        metrics.counter({
          name: "cumulo_network_connects_total",
          help: "Peers that connected, by who dialled",
          labels: { direction },
        }),
      );
      const disconnects = metrics.counter({
        name: "cumulo_network_disconnects_total",
        help: "Peers whose last connection ended",
      });
      links.on("connect", ({ direction }) => connects[direction].increment());
      links.on("disconnect", () => disconnects.increment());
    },
  };
}
