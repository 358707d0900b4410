import { NetworkError, type RequestLimits } from "./network.ts";
import type { Timers } from "./timers.ts";

/**
 * Settles as the work does, unless the connection breaks, the asker gives up or the deadline passes first. A response
 * arrives whole in memory, so its first byte is its last.
 */
export function withDeadline(
  timers: Timers,
  limits: RequestLimits,
  broken: AbortSignal,
  signal: AbortSignal | undefined,
  work: Promise<Uint8Array>,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const fail = (reason: unknown) => {
      finish();
      reject(reason);
    };
    const timeoutMs = Math.min(limits.firstByteTimeoutMs, limits.totalTimeoutMs);
    const timer = timers.set(timeoutMs, () => {
      fail(new NetworkError("NETWORK_TIMEOUT", `no response within ${timeoutMs} ms`));
    });
    const onBroken = () => fail(broken.reason);
    const onAbort = () => fail(signal?.reason);
    const finish = () => {
      timers.clear(timer);
      broken.removeEventListener("abort", onBroken);
      signal?.removeEventListener("abort", onAbort);
    };
    broken.addEventListener("abort", onBroken, { once: true });
    signal?.addEventListener("abort", onAbort, { once: true });
    work.then((response) => {
      finish();
      resolve(response);
    }, fail);
  });
}
