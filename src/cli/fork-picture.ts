import type { Tree } from "../api/index.ts";
import { style } from "./output.ts";

type Block = Tree["items"][number];

const label = ({ height, id }: Block): string => `${height} ${id.slice(4, 8)}`;

/**
 * The end of the tree as lines of text: the best chain first, each other branch below the block it left.
 *
 *     1 08f1 ─ 2 9f3c ┬ 3 0a1b ─ 4 77fe ─ 5 1c02   best
 *                     └ 3 61d0 ─ 4 b2c9   side
 *
 * Ids are shown by four digits after the leading zeros that all have. `name` says what stands behind a tip.
 */
export function drawFork(tree: Tree, name: (tip: Block) => string): string[] {
  const best = tree.items.filter(({ state }) => state === "best");
  const childrenOf = (id: string): Block[] => tree.items.filter(({ parent }) => parent === id);
  const startOf = new Map<string, number>();
  let line = "";
  best.forEach((block, i) => {
    if (i > 0) line += childrenOf(block.parent).length > 1 ? " ┬ " : " ─ ";
    line += label(block);
    startOf.set(block.id, line.length);
  });
  const tip = best.at(-1);
  const lines = [`${line}   ${tip === undefined ? "" : style("green", name(tip))}`];
  for (const block of best) {
    for (const side of childrenOf(block.id)) {
      if (side.state === "best") continue;
      let branch = `${" ".repeat(startOf.get(block.id) ?? 0)} └ ${label(side)}`;
      let end = side;
      for (let next = childrenOf(end.id)[0]; next !== undefined; next = childrenOf(end.id)[0]) {
        branch += ` ─ ${label(next)}`;
        end = next;
      }
      lines.push(`${branch}   ${style("yellow", name(end))}`);
    }
  }
  return lines;
}
