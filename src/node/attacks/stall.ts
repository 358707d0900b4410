import { NetworkError } from "../../ports/index.ts";
import { HONEST, type Presence, type PresenceDeps } from "../presence.ts";

/** Longer than any peer waits for a whole answer. */
const FORGET_MS = 15_000;

/** Says what it has, takes every request for it, and answers none, so that whoever asks loses the time until its deadline. */
export function createStall({ timers }: PresenceDeps): Presence {
  /** As many as the network lets peers have open. */
  const waiting = new Set<() => void>();

  const never = (): Promise<never> =>
    new Promise((_, reject) => {
      const giveUp = (): void => {
        timers.clear(timer);
        waiting.delete(giveUp);
        reject(new NetworkError("NETWORK_REFUSED", "not answered on purpose"));
      };
      const timer = timers.set(FORGET_MS, giveUp);
      waiting.add(giveUp);
    });

  return {
    ...HONEST,
    role: "stall",
    answers: (honest) => ({
      ...honest,
      headers: never,
      blocks: never,
      mempoolLeaves: never,
      transaction: () => undefined,
      peers: () => [],
    }),
    stop() {
      for (const giveUp of [...waiting]) giveUp();
    },
  };
}
