import type { Random } from "./random.ts";

/** What a line does to the bytes of one direction; what is absent is whole. */
export interface LineShape {
  /** From the last bit sent to the last bit received. */
  readonly delayMs?: number;
  /** Each piece is delayed by up to so much more or less, evenly; none overtakes another. */
  readonly jitterMs?: number;
  /** The share of segments that are lost, 0 to 1. With 1, nothing arrives. */
  readonly lossRatio?: number;
  readonly bytesPerSecond?: number;
  /** Nothing arrives, and nobody is told. */
  readonly blackhole?: boolean;
}

/** Both directions of a link, as one end sees it. */
export interface LinkShapes {
  /** What it sends. */
  readonly out?: LineShape | undefined;
  /** What it reads. */
  readonly in?: LineShape | undefined;
}

/** An Ethernet frame of 1,500 bytes without the headers of IPv4 and TCP with timestamps. */
const SEGMENT_BYTES = 1_448;
/** Linux's least and greatest wait for an acknowledgement, and how often it sends a segment again before it gives up. */
const MIN_RETRANSMISSION_MS = 200;
const MAX_RETRANSMISSION_MS = 120_000;
const MAX_RETRANSMISSIONS = 15;

/** As much as Linux lets one TCP connection have under way by default. */
const MAX_UNDER_WAY_BYTES = 4 * 1024 * 1024;
/** What a slow line takes in so that it is never idle: a second of its bandwidth and what is under way, no less than this. */
const MIN_UNDER_WAY_BYTES = 16 * 1024;
/** What a dead line takes before its sender stalls: a socket's buffer. */
const DEAD_LINE_BYTES = 256 * 1024;

/** Nothing gets through. */
export const isDead = (shape: LineShape | undefined): boolean =>
  shape !== undefined && (shape.blackhole === true || (shape.lossRatio ?? 0) >= 1);

/** Bytes that a line takes in before its sender has to wait: as a TCP connection's window over it would be. */
export function capacityOf(shape: LineShape): number {
  if (isDead(shape)) return DEAD_LINE_BYTES;
  const { bytesPerSecond = Number.POSITIVE_INFINITY, delayMs = 0 } = shape;
  const bytes = bytesPerSecond * (1 + (2 * delayMs) / 1_000);
  return Math.round(Math.min(MAX_UNDER_WAY_BYTES, Math.max(MIN_UNDER_WAY_BYTES, bytes)));
}

/** One direction of a line as TCP would show it: late, slow, never out of order. */
export interface Line {
  /**
   * When bytes that are sent now have arrived, all of them, by the clock that `nowMs` is of; infinity where they never do.
   * They wait for those before them to be sent, at the line's rate, and then travel.
   */
  arrivesAtMs(shape: LineShape, bytes: number, nowMs: number): number;
}

/**
 * The model: `bytesPerSecond` is the time that a piece takes to be sent, one after the other. Each segment of it is lost
 * with `lossRatio` and then sent again after max(200 ms, 2 * delay), each further time after twice as long, at most 120 s,
 * as TCP does it without duplicate acknowledgements; the latest segment decides. What comes after has to wait for it. How
 * congestion makes TCP itself slower is not modelled: `bytesPerSecond` is for that.
 */
export function createLine(random: Pick<Random, "fraction"> | undefined): Line {
  /** When the last piece has been sent, and has arrived. */
  let sentMs = Number.NEGATIVE_INFINITY;
  let arrivedMs = Number.NEGATIVE_INFINITY;

  function retransmissionMs(
    chance: Pick<Random, "fraction">,
    lossRatio: number,
    delayMs: number,
    bytes: number,
  ): number {
    let most = 0;
    for (let left = bytes; left > 0; left -= SEGMENT_BYTES) {
      let times = 0;
      while (times < MAX_RETRANSMISSIONS && chance.fraction() < lossRatio) times++;
      most = Math.max(most, times);
    }
    let totalMs = 0;
    let waitMs = Math.max(MIN_RETRANSMISSION_MS, 2 * delayMs);
    for (let i = 0; i < most; i++) {
      totalMs += Math.min(waitMs, MAX_RETRANSMISSION_MS);
      waitMs *= 2;
    }
    return totalMs;
  }

  return {
    arrivesAtMs(shape, bytes, nowMs) {
      if (isDead(shape)) return Number.POSITIVE_INFINITY;
      const { delayMs = 0, jitterMs = 0, lossRatio = 0, bytesPerSecond } = shape;
      sentMs =
        Math.max(sentMs, nowMs) + (bytesPerSecond === undefined ? 0 : (bytes * 1_000) / bytesPerSecond);
      let travelMs = delayMs;
      if (random !== undefined) {
        if (jitterMs > 0) travelMs = Math.max(0, delayMs + jitterMs * (2 * random.fraction() - 1));
        if (lossRatio > 0) travelMs += retransmissionMs(random, lossRatio, delayMs, bytes);
      }
      arrivedMs = Math.max(arrivedMs, sentMs + travelMs);
      return arrivedMs;
    },
  };
}
