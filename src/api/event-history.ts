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
export interface EventHistory<Kind extends string> {
  /** Number of the newest event; 0 before the first. */
  readonly last: number;
  add(kind: Kind, toText: (sequence: number) => string): void;
  /** Events were lost before they came here: nobody can go on from an id of before. */
  lose(): void;
  /** What came after an event, in order; undefined where some of it is not kept any more. */
  after(sequence: number, kinds: ReadonlySet<Kind>): KeptEvent[] | undefined;
}

interface Ring {
  readonly events: KeptEvent[];
  characters: number;
  /** Number of the newest event that was dropped. */
  droppedUpTo: number;
}

export interface HistoryBounds {
  /** Of each kind; default `MAX_KEPT_EVENTS`. */
  readonly maxEvents?: number;
  /** Of each kind; default 4 Mi. */
  readonly maxCharacters?: number;
}

export function createEventHistory<Kind extends string>(
  kinds: readonly Kind[],
  { maxEvents = MAX_KEPT_EVENTS, maxCharacters = MAX_KEPT_CHARACTERS }: HistoryBounds = {},
): EventHistory<Kind> {
  const rings = new Map<Kind, Ring>(
    kinds.map((type) => [type, { events: [], characters: 0, droppedUpTo: 0 }]),
  );
  let last = 0;
  return {
    get last() {
      return last;
    },
    add(kind, toText) {
      last++;
      const ring = rings.get(kind);
      if (ring === undefined) throw new Error(`there are no events of kind ${kind}`);
      const text = toText(last);
      ring.events.push({ sequence: last, text });
      ring.characters += text.length;
      while (ring.events.length > maxEvents || (ring.characters > maxCharacters && ring.events.length > 1)) {
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
    after(sequence, wanted) {
      const found: KeptEvent[] = [];
      for (const [type, { events, droppedUpTo }] of rings) {
        if (!wanted.has(type)) continue;
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
