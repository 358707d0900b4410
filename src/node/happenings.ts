import type { TransactionHappening, TransactionHistory } from "../mempool/index.ts";
import type { SealedTransaction } from "../primitives/index.ts";

/** Told of each thing that happened to a transaction, once that is public and durable. */
export type OnHappening = (transaction: SealedTransaction, happening: TransactionHappening) => void;

/** What happens to transactions: remembered at once, and told to others when it is public. */
export interface Happenings {
  add: OnHappening;
  /** From here on what is added is not public yet. */
  hold(): void;
  release(): void;
}

export function createHappenings(
  history: TransactionHistory,
  onHappening: OnHappening = () => {},
): Happenings {
  let held: [SealedTransaction, TransactionHappening][] | undefined;
  return {
    add(transaction, happening) {
      history.add(transaction, happening);
      if (held === undefined) onHappening(transaction, happening);
      else held.push([transaction, happening]);
    },
    hold() {
      held ??= [];
    },
    release() {
      for (const [transaction, happening] of held ?? []) onHappening(transaction, happening);
      held = undefined;
    },
  };
}
