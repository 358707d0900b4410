import { createHash } from "node:crypto";
import type { Clock } from "./clock.ts";

const SEEN_TTL_MS = 120_000;
const MAX_SEEN_MESSAGES = 65_536;

/** Gossip messages that a node of the memory network has seen of late. */
export class SeenMessages {
  readonly #clock: Clock;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True the first time within two minutes. */
  mark(topic: string, data: Uint8Array): boolean {
    const id = gossipId(topic, data);
    const nowMs = this.#clock.monotonicMs();
    for (const [oldest, untilMs] of this.#untilMs) {
      if (untilMs > nowMs && this.#untilMs.size < MAX_SEEN_MESSAGES) break;
      this.#untilMs.delete(oldest);
    }
    if (this.#untilMs.has(id)) return false;
    this.#untilMs.set(id, nowMs + SEEN_TTL_MS);
    return true;
  }

  clear(): void {
    this.#untilMs.clear();
  }
}

function gossipId(topic: string, data: Uint8Array): string {
  const prefix = Buffer.alloc(2);
  prefix.writeUInt16LE(Buffer.byteLength(topic));
  return createHash("sha256").update(prefix).update(topic).update(data).digest("base64");
}
