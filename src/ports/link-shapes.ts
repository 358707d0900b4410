import { isDead, type LinkShapes } from "./line.ts";
import type { PeerName } from "./network.ts";

/** How the links to peers are shaped, and whom a dead line keeps apart. */
export interface LinkShapeTable {
  /** Undefined: whole. */
  of(peer: PeerName): LinkShapes | undefined;
  set(peer: PeerName, shapes: LinkShapes | undefined): void;
  /** Whether nothing gets through to the peer, or from it: then no connection can be made. */
  isDead(peer: PeerName): boolean;
  /** Settles when the line to the peer is not dead, or fails with the signal's reason. */
  whenAlive(peer: PeerName, signal: AbortSignal): Promise<void>;
}

export function createLinkShapeTable(): LinkShapeTable {
  const shapes = new Map<PeerName, LinkShapes>();
  const waiting = new Map<PeerName, Set<() => void>>();

  const isLinkDead = (peer: PeerName): boolean => {
    const { out, in: into } = shapes.get(peer) ?? {};
    return isDead(out) || isDead(into);
  };

  function change(peer: PeerName, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiters = waiting.get(peer) ?? new Set();
      waiting.set(peer, waiters);
      const finish = () => {
        waiters.delete(onChange);
        if (waiters.size === 0) waiting.delete(peer);
        signal.removeEventListener("abort", onAbort);
      };
      const onChange = () => {
        finish();
        resolve();
      };
      const onAbort = () => {
        finish();
        reject(signal.reason);
      };
      waiters.add(onChange);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  return {
    of: (peer) => shapes.get(peer),
    set(peer, wanted) {
      if (wanted === undefined) shapes.delete(peer);
      else shapes.set(peer, wanted);
      for (const onChange of [...(waiting.get(peer) ?? [])]) onChange();
    },
    isDead: isLinkDead,
    async whenAlive(peer, signal) {
      signal.throwIfAborted();
      while (isLinkDead(peer)) await change(peer, signal);
    },
  };
}
