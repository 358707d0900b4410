import { Scalar } from "yaml";
import type { Source } from "./problems.ts";
import { unknownWord } from "./problems.ts";

/** What names stand for that a scenario gives to things as it goes. */
export type NameSort = "transaction" | "block";

/** A scenario while it is read: what has been said so far, and what is wrong with it. */
export interface Reading {
  tell(node: unknown, key: string, message: string): void;
  lineOf(node: unknown): number;
  /** Another text in the place of a node. */
  scalarLike(node: unknown, text: string): unknown;
  /** Names of the nodes, first is node 1; empty texts where they have none. */
  readonly nodes: string[];
  readonly groups: Map<string, readonly number[]>;
  readonly accounts: Map<string, number>;
  /** Nodes that begin with a `join`. */
  readonly late: Set<number>;
  readonly attackers: Map<number, string>;
  /** Notes a new name; told where it is taken. */
  give(sort: NameSort, name: string, node: unknown, key: string): boolean;
  has(sort: NameSort, name: string, node: unknown, key: string): boolean;
}

export function createReading(source: Source): Reading {
  const names: Record<NameSort, string[]> = { transaction: [], block: [] };
  return {
    tell: source.tell,
    lineOf: source.lineOf,
    scalarLike(node, text) {
      const scalar = new Scalar(text);
      const { range } = (node ?? {}) as Scalar;
      if (range !== undefined) scalar.range = range;
      return scalar;
    },
    nodes: [],
    groups: new Map(),
    accounts: new Map(),
    late: new Set(),
    attackers: new Map(),
    give(sort, name, node, key) {
      if (names[sort].includes(name)) {
        source.tell(node, key, `a ${sort} is called ${name} already; give this one a name of its own`);
        return false;
      }
      names[sort].push(name);
      return true;
    },
    has(sort, name, node, key) {
      if (names[sort].includes(name)) return true;
      const known = names[sort];
      const message = known.length === 0 ? `no ${sort} has a name yet` : unknownWord(sort, name, known);
      source.tell(
        node,
        key,
        `${message}; a name is known from the step on that gives it`.replace(/\?; .*/, "?"),
      );
      return false;
    },
  };
}
