import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tree } from "../../../src/api/index.ts";
import { drawFork } from "../../../src/cli/fork-picture.ts";

type Block = Tree["items"][number];

/** Blocks by a letter each: the id shows it, `parent` names the letter it stands on. */
function block(letter: string, parent: string, height: number, state: Block["state"]): Block {
  const idOf = (one: string): string => `0000${one.repeat(4)}`.padEnd(64, "0");
  return {
    id: idOf(letter),
    parent: idOf(parent),
    height,
    work: "1",
    timestampMs: 0,
    difficulty: "1",
    proposer: "",
    transactions: 0,
    sizeBytes: 8,
    state,
    hasBody: true,
    arrival: null,
  };
}

const tree = (...items: Block[]): Tree => ({ head: { id: "", height: 0, work: "0" }, items, next: null });

test("the best chain stands in one line, and a side branch below the block that it left", () => {
  const lines = drawFork(
    tree(
      block("a", "f", 1, "best"),
      block("b", "a", 2, "best"),
      block("c", "b", 3, "best"),
      block("d", "b", 3, "side"),
      block("e", "d", 4, "side"),
    ),
    ({ height }) => `tip ${height}`,
  );
  assert.deepEqual(lines, ["1 aaaa ─ 2 bbbb ┬ 3 cccc   tip 3", "                └ 3 dddd ─ 4 eeee   tip 4"]);
});

test("without a fork there is one line", () => {
  assert.deepEqual(
    drawFork(tree(block("a", "f", 1, "best")), () => "head"),
    ["1 aaaa   head"],
  );
});
