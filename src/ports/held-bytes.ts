import type { Clock } from "./clock.ts";
import { capacityOf, createLine, type Line, type LineShape } from "./line.ts";
import type { Random } from "./random.ts";
import type { Timer, Timers } from "./timers.ts";

export interface HeldBytesDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Undefined: nothing jitters, and nothing is lost unless all is. */
  readonly random: Pick<Random, "fraction"> | undefined;
}

export interface HeldBytesEnds<Piece> {
  /** Whether the far side takes anything now; it calls `release` when it does again. */
  isOpen(): boolean;
  deliver(piece: Piece): void;
  /** There is room again, after there was none. */
  onRoom(): void;
  /** All was delivered. */
  onEmpty(): void;
}

/** Pieces on their way through one direction of a shaped line: delivered in order, each when the line says. */
export interface HeldBytes<Piece> {
  /** Bytes that it takes now; below 1 the sender has to wait for `onRoom`. */
  room(): number;
  /** Takes the piece whatever the room. The piece must not change while it is held. */
  push(piece: Piece, bytes: number): void;
  /** What is held goes on its way anew, as if it had been sent now. Undefined: delivers all at once. */
  reshape(shape: LineShape | undefined): void;
  /** Delivers what is due. */
  release(): void;
  isEmpty(): boolean;
  /** Drops everything. */
  clear(): void;
}

interface Held<Piece> {
  readonly piece: Piece;
  readonly bytes: number;
  atMs: number;
}

const WHOLE: LineShape = {};

export function createHeldBytes<Piece>(deps: HeldBytesDeps, ends: HeldBytesEnds<Piece>): HeldBytes<Piece> {
  let shape: LineShape | undefined;
  let line: Line = createLine(deps.random);
  let queue: Held<Piece>[] = [];
  /** Taken from the queue's front so far: shifting an array of thousands each time costs. */
  let first = 0;
  let heldBytes = 0;
  let timer: Timer | undefined;
  let isFull = false;
  let isReleasing = false;

  const capacity = (): number => capacityOf(shape ?? WHOLE);

  function stopTimer(): void {
    if (timer !== undefined) deps.timers.clear(timer);
    timer = undefined;
  }

  function take(): Held<Piece> | undefined {
    const next = queue[first];
    if (next === undefined) return undefined;
    first++;
    if (first === queue.length || first >= 1_024) {
      queue = queue.slice(first);
      first = 0;
    }
    heldBytes -= next.bytes;
    return next;
  }

  function deliverDue(): void {
    const nowMs = deps.clock.monotonicMs();
    for (let next = queue[first]; next !== undefined && ends.isOpen(); next = queue[first]) {
      if (next.atMs > nowMs) {
        if (timer === undefined && next.atMs !== Number.POSITIVE_INFINITY)
          timer = deps.timers.set(Math.max(0, next.atMs - nowMs), () => {
            timer = undefined;
            release();
          });
        break;
      }
      take();
      ends.deliver(next.piece);
    }
  }

  function release(): void {
    // What is delivered may answer at once, and so come back here.
    if (isReleasing) return;
    isReleasing = true;
    try {
      deliverDue();
    } finally {
      isReleasing = false;
    }
    // Half of it, so that the sender is not woken for every piece.
    if (isFull && heldBytes <= capacity() / 2) {
      isFull = false;
      ends.onRoom();
    }
    if (queue.length === first) ends.onEmpty();
  }

  return {
    room() {
      const bytes = capacity() - heldBytes;
      if (bytes < 1) isFull = true;
      return bytes;
    },
    push(piece, bytes) {
      const atMs = line.arrivesAtMs(shape ?? WHOLE, bytes, deps.clock.monotonicMs());
      queue.push({ piece, bytes, atMs });
      heldBytes += bytes;
      if (timer === undefined) release();
    },
    reshape(wanted) {
      shape = wanted;
      line = createLine(deps.random);
      stopTimer();
      const nowMs = deps.clock.monotonicMs();
      for (const held of queue.slice(first)) held.atMs = line.arrivesAtMs(shape ?? WHOLE, held.bytes, nowMs);
      release();
    },
    release,
    isEmpty: () => queue.length === first,
    clear() {
      stopTimer();
      queue = [];
      first = 0;
      heldBytes = 0;
    },
  };
}
