import type { NodeEvent, NodeEventType } from "./schemas/index.ts";
import { NODE_EVENT_TYPES } from "./schemas/index.ts";

/** Events kept of each kind, so that a flood of one does not push out another. */
export const MAX_KEPT_EVENTS = 2_000;
/** Characters kept of each kind; the newest event is kept whatever its size. */
const MAX_KEPT_CHARACTERS = 4 * 1024 * 1024;

/** An event as it goes over the wire. */
export interface KeptEvent {
  readonly sequence: number;
  readonly text: string;
}

/** The newest events of every kind, for readers that come back or are behind. */
export interface EventHistory {
  /** Number of the newest event; 0 before the first. */
  readonly last: number;
  add(event: NodeEvent, toText: (sequence: number) => string): void;
  /** Events were lost before they came here: nobody can go on from an id of before. */
  lose(): void;
  /** What came after an event, in order; undefined where some of it is not kept any more. */
  after(sequence: number, kinds: ReadonlySet<NodeEventType>): KeptEvent[] | undefined;
}

interface Ring {
  readonly events: KeptEvent[];
  characters: number;
  /** Number of the newest event that was dropped. */
  droppedUpTo: number;
}

export function createEventHistory(): EventHistory {
  const rings = new Map<NodeEventType, Ring>(
    NODE_EVENT_TYPES.map((type) => [type, { events: [], characters: 0, droppedUpTo: 0 }]),
  );
  let last = 0;
  return {
    get last() {
      return last;
    },
    add({ type }, toText) {
      last++;
      const ring = rings.get(type);
      if (ring === undefined) throw new Error(`there are no events of kind ${type}`);
      const text = toText(last);
      ring.events.push({ sequence: last, text });
      ring.characters += text.length;
      while (
        ring.events.length > MAX_KEPT_EVENTS ||
        (ring.characters > MAX_KEPT_CHARACTERS && ring.events.length > 1)
      ) {
        const dropped = ring.events.shift();
        ring.characters -= dropped?.text.length ?? 0;
        ring.droppedUpTo = dropped?.sequence ?? 0;
      }
    },
    lose() {
      last++;
      for (const ring of rings.values()) {
        ring.events.length = 0;
        ring.characters = 0;
        ring.droppedUpTo = last;
      }
    },
    after(sequence, kinds) {
      const found: KeptEvent[] = [];
      for (const [type, { events, droppedUpTo }] of rings) {
        if (!kinds.has(type)) continue;
        if (droppedUpTo > sequence) return undefined;
        // Readers are mostly at the end, so it is looked for from there.
        let from = events.length;
        while (from > 0 && (events[from - 1]?.sequence ?? 0) > sequence) from--;
        found.push(...events.slice(from));
      }
      return found.sort((a, b) => a.sequence - b.sequence);
    },
  };
}
