import type { Logger, Network, PeerName, Timer, Timers } from "../ports/index.ts";

/** Peers are asked for their status on connect and every few seconds: one that lives has answered more than once. */
const INTRODUCTION_TIMEOUT_MS = 30_000;

export interface IntroductionsDeps {
  readonly network: Pick<Network, "on" | "disconnect">;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Sees to it that a connection is used: a peer that never says where it stands on our chain only holds a slot. */
export interface Introductions {
  /** The peer has shown a valid status. */
  introduced(peer: PeerName): void;
  stop(): void;
}

export function createIntroductions({ network, timers, logger }: IntroductionsDeps): Introductions {
  const awaited = new Map<PeerName, Timer>();

  function forget(peer: PeerName): void {
    const timer = awaited.get(peer);
    if (timer !== undefined) timers.clear(timer);
    awaited.delete(peer);
  }

  const unsubscribe = [
    network.on("connect", ({ peer }) => {
      forget(peer);
      const timer = timers.set(INTRODUCTION_TIMEOUT_MS, () => {
        awaited.delete(peer);
        const reason = `it showed no status within ${INTRODUCTION_TIMEOUT_MS / 1000} s`;
        network.disconnect(peer, reason).catch((error: unknown) => {
          logger.error({ peer, error }, "a peer could not be disconnected");
        });
      });
      awaited.set(peer, timer);
    }),
    network.on("disconnect", forget),
  ];

  return {
    introduced: forget,
    stop() {
      for (const end of unsubscribe.splice(0)) end();
      for (const peer of [...awaited.keys()]) forget(peer);
    },
  };
}
