/**
 * Ledger: what a block does to the state, and how to take it back. Pure and synchronous: accounts are read from a view
 * that the caller filled, changes and undo data are return values.
 *
 * Invariants: undo of a change gives exactly the state before it; balances + burned = issued after every block; the
 * state tree's root equals a full SSZ recomputation (tested). Knows nothing of forks, blocks' ancestry or storage.
 */
export * from "./accounts.ts";
export * from "./genesis.ts";
export * from "./state-tree.ts";
export * from "./transaction-rules.ts";
export * from "./transition.ts";
export * from "./undo.ts";
