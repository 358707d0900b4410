import { type Link, type LinkRequest, type NodeService, ServiceError, type Shape } from "../api/index.ts";
import { isPeerName, type Supervisor } from "../network/index.ts";
import {
  type Clock,
  type Logger,
  type Metrics,
  type Network,
  silentMetrics,
  type Timer,
  type Timers,
} from "../ports/index.ts";

/** Set by hand or by a cluster, so a bound that nobody meets but a mistake. */
const MAX_LINKS = 1_024;

export interface NodeLinksDeps {
  readonly network: Network;
  readonly supervisor: Pick<Supervisor, "redialNow">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Where left out, nothing is counted. */
  readonly metrics?: Metrics;
}

/** A link as it is told when it changes; `whole` when it is healed, by command or timer. */
export type LinkChange = Link | { readonly peer: string; readonly mode: "whole" };

/** The link conditioner of one node: what is done to which peer's connections, and until when. In memory only. */
export interface NodeLinks extends Pick<NodeService, "links" | "setLink" | "healLink"> {
  /** Calls `listener` at every change until the function it returns is called. */
  onChange(listener: (change: LinkChange) => void): () => void;
  /** Forgets all timers; links stay as they are. */
  stop(): void;
}

/** Only what does something; null where nothing does. */
function effective(shape: Shape | undefined): Shape | null {
  const effects = Object.entries(shape ?? {}).filter(([, value]) => value !== 0 && value !== false);
  return effects.length === 0 ? null : Object.fromEntries(effects);
}

export function createNodeLinks(deps: NodeLinksDeps): NodeLinks {
  const { network, supervisor } = deps;
  const links = new Map<string, Link>();
  const ending = new Map<string, Timer>();
  const listeners = new Set<(change: LinkChange) => void>();
  for (const mode of ["refuse", "shape"] as const)
    (deps.metrics ?? silentMetrics).gaugeOf(
      { name: "cumulo_network_links", help: "Links to peers that are not whole", labels: { mode } },
      () => [...links.values()].filter((link) => link.mode === mode).length,
    );

  function tell(change: LinkChange): void {
    deps.logger.info({ ...change }, "a link was changed");
    for (const listener of [...listeners]) listener(change);
  }

  function checkPeer(peer: string): void {
    const details = { at: "peer", value: peer };
    if (isPeerName(peer) && peer !== network.self) return;
    const what = peer === network.self ? "this node itself" : "no peer's name, which begins with 12D3Koo";
    const message = `${peer} is ${what}; GET /v1/peers lists peers`;
    throw new ServiceError("PEER_INVALID", 400, message, { details });
  }

  /** One timer per link: what is set later ends what was set before. */
  function clearTimer(peer: string): void {
    const timer = ending.get(peer);
    if (timer !== undefined) deps.timers.clear(timer);
    ending.delete(peer);
  }

  async function heal(peer: string): Promise<boolean> {
    clearTimer(peer);
    const wasWhole = !links.delete(peer);
    network.allow(peer);
    network.shape(peer, undefined);
    // Also where it was whole: whoever heals the far end wants both to meet now.
    supervisor.redialNow();
    if (!wasWhole) tell({ peer, mode: "whole" });
    return !wasWhole;
  }

  async function set(peer: string, request: LinkRequest): Promise<Link> {
    checkPeer(peer);
    const isShaped = request.mode === "shape";
    const out = isShaped ? effective(request.out) : null;
    const into = isShaped ? effective(request.in) : null;
    if (isShaped && out === null && into === null) {
      await heal(peer);
      return { peer, mode: "shape", out, in: into, untilMs: null };
    }
    if (links.size >= MAX_LINKS && !links.has(peer)) {
      const message = `${MAX_LINKS} links are conditioned already; heal some first`;
      throw new ServiceError("TOO_MANY_PEERS", 409, message);
    }
    clearTimer(peer);
    const { forMs } = request;
    const untilMs = forMs === undefined ? null : deps.clock.nowMs() + forMs;
    const link: Link = { peer, mode: request.mode, out, in: into, untilMs };
    links.set(peer, link);
    if (forMs !== undefined)
      ending.set(
        peer,
        deps.timers.set(forMs, () => void heal(peer)),
      );
    tell(link);
    if (isShaped) {
      network.shape(peer, { out: out ?? undefined, in: into ?? undefined });
      // It may have been refused until now, or dead.
      network.allow(peer);
      supervisor.redialNow();
    } else {
      // Cut first: what a dead line holds is not to be delivered now.
      const cut = network.refuse(peer);
      network.shape(peer, undefined);
      await cut;
    }
    return link;
  }

  return {
    links: async () => [...links.values()],
    setLink: set,
    healLink: heal,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    stop() {
      for (const peer of [...ending.keys()]) clearTimer(peer);
    },
  };
}
