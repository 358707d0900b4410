/**
 * When a selfish miner shows its blocks. Source: I. Eyal and E. G. Sirer, "Majority is not Enough: Bitcoin Mining is
 * Vulnerable", 2013, algorithm 1 and figure 1. Pure: the state is two lengths, the events are found blocks.
 */

/** Two branches from one fork point: what the miner has found, and what the others have. */
export interface SelfishState {
  readonly own: number;
  readonly others: number;
}

export interface SelfishStep {
  readonly state: SelfishState;
  /** So many blocks of the own branch, from the fork point up, are public from here on. */
  readonly show: number;
  /** Whose branch the race ended with: both go on from its tip, and the state begins anew. */
  readonly won: "own" | "others" | undefined;
}

export const NO_BRANCH: SelfishState = { own: 0, others: 0 };

/** The miner found a block on its own branch. */
export function ownFound({ own, others }: SelfishState): SelfishStep {
  // State 0': two public branches of one length, and this block decides.
  if (own > 0 && own === others) return { state: NO_BRANCH, show: own + 1, won: "own" };
  return { state: { own: own + 1, others }, show: others, won: undefined };
}

/** Somebody else found a block, and it extends the others' branch. */
export function othersFound({ own, others }: SelfishState): SelfishStep {
  const state = { own, others: others + 1 };
  switch (own - others) {
    // States 0 and 0': the others are ahead, and the miner goes over to them.
    case 0:
      return { state: NO_BRANCH, show: 0, won: "others" };
    // State 1: the lead is gone; it shows its block and hopes that some find it first.
    case 1:
      return { state, show: own, won: undefined };
    // State 2: one ahead is still ahead, and more than that is not left to win.
    case 2:
      return { state: NO_BRANCH, show: own, won: "own" };
    // Far ahead: as many blocks as the others have keep them busy on a branch that is lost.
    default:
      return { state, show: others + 1, won: undefined };
  }
}
