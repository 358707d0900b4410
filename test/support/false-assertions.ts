import { randomBytes } from "node:crypto";
import type { Assertion } from "../../src/cluster/scenarios/language.ts";
import type { World } from "../../src/cluster/scenarios/world.ts";

const NOWHERE = "nowhere";
const more = ({ most, least }: { readonly least: number; readonly most: number }) => ({
  least: (Number.isFinite(most) ? most : least) + 1_000,
  most: Number.POSITIVE_INFINITY,
});

/**
 * The same assertion, made false where it is true: it asks the same of the same nodes, and expects something else.
 * Undefined where only another network could make it false. `world` gets a block and a transaction that nobody knows.
 */
export function falseVersion(assertion: Assertion, world: World): Assertion | undefined {
  world.blocks.set(NOWHERE, { id: randomBytes(32).toString("hex"), height: 1 });
  const change = (options: object, word: string = assertion.word): Assertion =>
    ({ ...assertion, word, options: { ...assertion.options, within: 0, for: 0, ...options } }) as Assertion;
  switch (assertion.word) {
    case "converged":
    case "heads equal":
      return change({}, "heads apart");
    case "heads apart":
      return change({}, "heads equal");
    case "head":
      return change({ is: NOWHERE });
    case "branch": {
      const { has, lacks } = assertion.options;
      return change({ has: lacks, lacks: has });
    }
    case "height":
    case "peers":
    case "mempool":
    case "stale":
    case "share":
    case "wasted":
      return change({ is: more(assertion.options.is) });
    case "reorg":
      return change({ depth: more(assertion.options.depth) });
    case "transaction":
      return change({ is: assertion.options.is === "dropped" ? "mined" : "dropped" });
    case "no reorg":
      return change({ depth: { least: 1, most: 1_000 } }, "reorg");
    case "nothing lost":
      return undefined;
  }
}
