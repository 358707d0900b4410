import type { ArrivalVia } from "./types.ts";

/** How a block came to one node. */
export interface Arrival {
  readonly node: number;
  /** When its header was first there, ms. */
  readonly headerMs: number;
  readonly headerPeer: string | null;
  /** When all of it was there and judged, ms; null until then. */
  readonly bodyMs: number | null;
  readonly bodyPeer: string | null;
  readonly via: ArrivalVia;
}

interface Told {
  readonly timeMs: number;
  readonly peer: string | null;
  readonly via: ArrivalVia;
}

/** One node's arrivals, in columns by a block's place: 50 nodes know 10,000 blocks each. NaN where nothing has come. */
interface Columns {
  headerMs: Float64Array;
  bodyMs: Float64Array;
  /** Of whom and how, as places in a list of their pairs; of the header in the lower, of the body in the upper half. */
  from: Uint32Array;
}

const FIRST_SIZE = 256;
/** Distinct pairs of peer and way fit in half a number; a node with more peers tells the later ones as the last. */
const MAX_SOURCES = 0xffff;

const filled = (size: number): Float64Array => new Float64Array(size).fill(Number.NaN);

function grown(columns: Columns | undefined, index: number): Columns {
  if (columns !== undefined && index < columns.headerMs.length) return columns;
  const size = Math.max(FIRST_SIZE, 2 * (index + 1));
  const next = { headerMs: filled(size), bodyMs: filled(size), from: new Uint32Array(size) };
  if (columns !== undefined) {
    next.headerMs.set(columns.headerMs);
    next.bodyMs.set(columns.bodyMs);
    next.from.set(columns.from);
  }
  return next;
}

/** When each block came to each node, and from whom. */
export interface Arrivals {
  header(node: number, block: number, told: Told): void;
  body(node: number, block: number, told: Told): void;
  of(node: number, block: number): Arrival | undefined;
  /** When all of a block was at a node, ms; NaN before it was. */
  bodyMs(node: number, block: number): number;
}

export function createArrivals(): Arrivals {
  const byNode = new Map<number, Columns>();
  const sources: { readonly peer: string | null; readonly via: ArrivalVia }[] = [];
  const sourceIndex = new Map<string, number>();

  function sourceOf({ peer, via }: Told): number {
    const key = `${via} ${peer ?? ""}`;
    const known = sourceIndex.get(key);
    if (known !== undefined) return known;
    if (sources.length === MAX_SOURCES) return MAX_SOURCES - 1;
    sources.push({ peer, via });
    sourceIndex.set(key, sources.length - 1);
    return sources.length - 1;
  }

  function columnsOf(node: number, block: number): Columns {
    const columns = grown(byNode.get(node), block);
    byNode.set(node, columns);
    return columns;
  }

  function header(node: number, block: number, told: Told): void {
    const columns = columnsOf(node, block);
    if (!Number.isNaN(columns.headerMs[block]!)) return;
    columns.headerMs[block] = told.timeMs;
    columns.from[block] = (columns.from[block]! & 0xffff0000) | sourceOf(told);
  }

  return {
    header,
    body(node, block, told) {
      header(node, block, told);
      const columns = columnsOf(node, block);
      if (!Number.isNaN(columns.bodyMs[block]!)) return;
      columns.bodyMs[block] = told.timeMs;
      columns.from[block] = ((sourceOf(told) << 16) | (columns.from[block]! & 0xffff)) >>> 0;
    },
    of(node, block) {
      const columns = byNode.get(node);
      const headerMs = columns?.headerMs[block] ?? Number.NaN;
      if (columns === undefined || Number.isNaN(headerMs)) return undefined;
      const bodyMs = columns.bodyMs[block]!;
      const hasBody = !Number.isNaN(bodyMs);
      const headerSource = sources[columns.from[block]! & 0xffff];
      const bodySource = hasBody ? sources[columns.from[block]! >>> 16] : undefined;
      return {
        node,
        headerMs,
        headerPeer: headerSource?.peer ?? null,
        bodyMs: hasBody ? bodyMs : null,
        bodyPeer: bodySource?.peer ?? null,
        via: (bodySource ?? headerSource)?.via ?? "gossip",
      };
    },
    bodyMs: (node, block) => byNode.get(node)?.bodyMs[block] ?? Number.NaN,
  };
}
