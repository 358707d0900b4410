/**
 * Consensus: which headers and bodies are acceptable, and which branch is best. Pure: the clock is an argument, the
 * block store is not known here. Says nothing about balances: what a block does to the state is `ledger/`'s.
 *
 * Invariants: a verdict never throws for what a peer sent; a block marked invalid stays so, with its descendants; fork
 * choice depends only on work, arrival order and invalid marks.
 */
export * from "./forks/fork-tree.ts";
export * from "./pow/difficulty.ts";
export * from "./pow/target.ts";
export * from "./rules/block.ts";
export * from "./rules/header.ts";
export * from "./rules/verdict.ts";
