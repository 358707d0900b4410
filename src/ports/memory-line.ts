import { createHeldBytes, type HeldBytesDeps } from "./held-bytes.ts";
import type { LineShape } from "./line.ts";

/** Messages that a line holds; one more is lost, as nobody waits here until there is room. */
const MAX_HELD_MESSAGES = 4_096;

/** What one node sends to another: through the line that its sender shapes, and then the one that its receiver shapes. */
export interface MemoryLine {
  /** Calls `deliver` when the bytes have arrived: in a microtask where the line is whole. */
  send(bytes: number, deliver: () => void): void;
  shapeOut(shape: LineShape | undefined): void;
  shapeIn(shape: LineShape | undefined): void;
  /** What is under way is lost. */
  cut(): void;
}

export function createMemoryLine(deps: HeldBytesDeps): MemoryLine {
  let isShaped = { out: false, in: false };
  let held = 0;
  const ends = { isOpen: () => true, onRoom() {}, onEmpty() {} };
  const into = createHeldBytes<() => void>(deps, {
    ...ends,
    deliver(arrived) {
      held--;
      queueMicrotask(arrived);
    },
  });
  const out = createHeldBytes<{ readonly bytes: number; readonly deliver: () => void }>(deps, {
    ...ends,
    deliver: ({ bytes, deliver }) => into.push(deliver, bytes),
  });
  return {
    send(bytes, deliver) {
      if (held === 0 && !isShaped.out && !isShaped.in) return queueMicrotask(deliver);
      if (held >= MAX_HELD_MESSAGES) return;
      held++;
      out.push({ bytes, deliver }, bytes);
    },
    shapeOut(shape) {
      isShaped = { ...isShaped, out: shape !== undefined };
      out.reshape(shape);
    },
    shapeIn(shape) {
      isShaped = { ...isShaped, in: shape !== undefined };
      into.reshape(shape);
    },
    cut() {
      out.clear();
      into.clear();
      held = 0;
    },
  };
}
