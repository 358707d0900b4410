import type { Refusal } from "../../consensus/index.ts";
import type { Clock } from "../../ports/index.ts";
import type { BlockId } from "../../primitives/index.ts";

/** Refusals remembered: enough for a look back, and no more however many bad blocks peers send. */
const MAX_REFUSALS = 64;

/** A block that this node did not take, and who sent it. */
export interface BlockRefusal {
  readonly block: BlockId;
  readonly height: number;
  readonly rule: Refusal["code"];
  readonly detail: string;
  readonly isPermanent: boolean;
  readonly peer: string;
  /** Unix ms, of the last time. */
  readonly timeMs: number;
  readonly times: number;
}

export type NoteRefusal = (
  block: { readonly id: BlockId; readonly header: { readonly core: { readonly height: number } } },
  peer: string,
  refusal: Pick<Refusal, "code" | "detail" | "permanence">,
) => void;

/** Which blocks were refused lately, by which rule and from whom: logs tell it too, but nobody asks them. */
export interface Refusals {
  readonly note: NoteRefusal;
  /** Newest last. */
  list(): readonly BlockRefusal[];
}

export function createRefusals(clock: Pick<Clock, "nowMs">): Refusals {
  const byBlock = new Map<BlockId, BlockRefusal>();
  return {
    note({ id, header }, peer, { code, detail, permanence }) {
      const times = (byBlock.get(id)?.times ?? 0) + 1;
      // Again at the end: the oldest goes first.
      byBlock.delete(id);
      byBlock.set(id, {
        block: id,
        height: header.core.height,
        rule: code,
        detail,
        isPermanent: permanence === "permanent",
        peer,
        timeMs: clock.nowMs(),
        times,
      });
      const [oldest] = byBlock.keys();
      if (byBlock.size > MAX_REFUSALS && oldest !== undefined) byBlock.delete(oldest);
    },
    list: () => [...byBlock.values()],
  };
}
