import type { TransactionHappening } from "../mempool/index.ts";
import type { BlockId } from "../primitives/index.ts";

/** What the chain and the mempool say of a transaction now. */
export interface PresentPlace {
  readonly isPending: boolean;
  /** The block of the best chain that it is in, and when that was here. */
  readonly mined: { readonly block: BlockId; readonly height: number; readonly timeMs: number } | undefined;
}

/**
 * A life whose end is what is true now. What happened is written a moment later than the chain, so after a crash the last
 * of it may be missing, or a power cut may have taken back the block that it names; the chain is right.
 */
export function presentLife(
  happenings: readonly TransactionHappening[],
  { isPending, mined }: PresentPlace,
  options: { readonly isConnected: (block: BlockId) => boolean; readonly startedMs: number },
): readonly TransactionHappening[] {
  const last = happenings.at(-1);
  // Of this start all is known exactly; and in the middle of a reorg the chain is ahead of what is public.
  if (last === undefined || isPending || (last.timeMs >= options.startedMs && mined === undefined))
    return happenings;
  if (mined !== undefined) {
    if (last.what === "mined" && last.block === mined.block) return happenings;
    return [...happenings, { what: "mined", ...mined }];
  }
  if (last.what === "dropped" || last.what === "conflicted") return happenings;
  const isTrue = (one: TransactionHappening): boolean =>
    one.what !== "mined" || options.isConnected(one.block);
  if (last.what === "mined" && isTrue(last)) return happenings;
  const detail = "the node ended before it was kept, or took it in no more at its next start";
  const end = { what: "dropped", timeMs: options.startedMs, rule: "MEM-06", detail } as const;
  return [...(isTrue(last) ? happenings : happenings.slice(0, -1)), end];
}
