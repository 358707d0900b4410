import type { BlockId } from "../primitives/index.ts";

/** Ids in a locator, at most; with doubling steps it reaches genesis from 2^50 blocks away. */
export const MAX_LOCATOR_IDS = 64;
/** So many of the newest ids stand one by one: most forks are short. */
const DENSE_IDS = 10;

/**
 * Ids of the best chain from the head down: the newest one by one, then in doubling steps, genesis last. Whoever gets
 * it finds the newest block that both have.
 */
export function locatorOf(headHeight: number, idAt: (height: number) => BlockId | undefined): BlockId[] {
  const ids: BlockId[] = [];
  let step = 1;
  for (let height = headHeight; height > 0 && ids.length < MAX_LOCATOR_IDS - 1; height -= step) {
    const id = idAt(height);
    if (id !== undefined) ids.push(id);
    if (ids.length >= DENSE_IDS) step *= 2;
  }
  const genesis = idAt(0);
  if (genesis !== undefined) ids.push(genesis);
  return ids;
}
