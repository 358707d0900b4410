import { checkHeaderContext, checkHeaderSanity, type HeaderRules, type Verdict } from "../consensus/index.ts";
import type { BlockId, SealedHeader } from "../primitives/index.ts";
import { createIdList, type IdList } from "./id-list.ts";

/** What a header needs of the block before it. */
export interface Anchor {
  readonly id: BlockId;
  readonly height: number;
  readonly timestampMs: number;
  readonly difficulty: bigint;
  /** Cumulative. */
  readonly work: bigint;
}

export interface HeaderShown {
  readonly peer: string;
  /** Unix ms. */
  readonly timeMs: number;
}

/** Headers that came together: from an index on. */
interface Page extends HeaderShown {
  readonly from: number;
}

/** Headers that follow each other from a known block, checked as far as headers can be without their bodies. */
export interface HeaderChain {
  /** Their ids, ascending: all that is needed to fetch the bodies, and an eighth of the headers' memory. */
  readonly ids: Pick<IdList, "length" | "at">;
  /** The known block that the first one builds on. */
  readonly anchor: Anchor;
  /** Cumulative work at the last header, or at the anchor. */
  readonly work: bigint;
  /** The header to go on from, or the anchor. */
  readonly last: Anchor;
  /** Adds the next header; a refusal adds nothing. `nowMs` is the local clock, `peer` who showed it. */
  append(header: SealedHeader, nowMs: number, peer: string): Verdict;
  /** When the header at an index was shown, and by whom. */
  shownAt(index: number): HeaderShown | undefined;
  /** The same headers, to go on from apart from these. */
  copy(): HeaderChain;
}

/** `before` is the anchor's parent; `undefined` only where the anchor is genesis. */
export function createHeaderChain(
  rules: HeaderRules,
  anchor: Anchor,
  before: Anchor | undefined,
): HeaderChain {
  return goOn({ rules, anchor, ids: createIdList(), pages: [] }, anchor, before);
}

function goOn(
  begun: {
    readonly rules: HeaderRules;
    readonly anchor: Anchor;
    readonly ids: IdList;
    /** One for each answer. */
    readonly pages: Page[];
  },
  lastNow: Anchor,
  before: Anchor | undefined,
): HeaderChain {
  const { rules, anchor, ids, pages } = begun;
  let last = lastNow;
  let grandparent = before;
  return {
    ids,
    anchor,
    get work() {
      return last.work;
    },
    get last() {
      return last;
    },
    append(header, nowMs, peer) {
      const { core } = header.header;
      if (header.parent !== last.id) {
        const detail = `header ${header.id} does not follow ${last.id}`;
        return { ok: false, code: "HDR-11", permanence: "permanent", detail };
      }
      const sanity = checkHeaderSanity(rules, header);
      if (!sanity.ok) return sanity;
      const context = checkHeaderContext(rules.spec, header, last, grandparent, nowMs);
      if (!context.ok) return context;
      const page = pages.at(-1);
      if (page?.timeMs !== nowMs || page.peer !== peer) pages.push({ from: ids.length, timeMs: nowMs, peer });
      ids.push(header.id);
      grandparent = last;
      const { height, timestampMs, difficulty } = core;
      last = { id: header.id, height, timestampMs, difficulty, work: last.work + difficulty };
      return { ok: true };
    },
    shownAt: (index) => pages.findLast(({ from }) => from <= index),
    copy: () => goOn({ rules, anchor, ids: ids.copy(), pages: [...pages] }, last, grandparent),
  };
}
