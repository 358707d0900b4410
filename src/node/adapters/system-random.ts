import { randomBytes } from "node:crypto";
import type { Random } from "../../ports/index.ts";

/** The operating system's generator. Good for secrets. */
export function createSystemRandom(): Random {
  return {
    // Copied: small results of randomBytes share one pool, and the caller owns what it gets.
    bytes: (length) => Uint8Array.from(randomBytes(length)),
    fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  };
}
