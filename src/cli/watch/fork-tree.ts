import { bestHead, type RecordedBlock, type RecordingModel } from "../../client/index.ts";
import type { Format, Line, Piece } from "./line.ts";

/** Columns of one block: two of connection, its digits between brackets where it is somebody's head. */
const CELL = 8;
/** Where the connection stands in a cell, and its digits. */
const JOINT = 0;
const OPEN = 2;
const DIGITS = 3;
const CLOSE = 7;
/** Columns at the right for the names of nodes. */
const NAMES = 10;

const [UP, DOWN, LEFT, RIGHT] = [1, 2, 4, 8];
/** The character with these arms. */
const JOINTS = " ╵╷│╴┘┐┤╶└┌├─┴┬┼";

export interface TreeWindow {
  readonly columns: number;
  /** Lines at most, the one of the heights among them. */
  readonly rows: number;
  /** Heights that are passed over at the right, to look at older blocks. */
  readonly back: number;
}

/** The digits of an id after the leading zeros that all have. */
export const shortDigits = (id: string): string => id.slice(4, 8);

/**
 * The end of the fork tree as it was known at a time: heights go to the right, each branch has a line. Blocks that are a
 * node's head stand between brackets, with the nodes' numbers where there is room: at the end of a branch.
 *
 *      4       5       6       7
 *      0a1b────77fe────1c02───[9e40] 1 3
 *          └───b2c9───[61d0] 2
 */
export function drawTree(model: RecordingModel, timeMs: number, window: TreeWindow): Line[] {
  const cells = Math.max(1, Math.floor((window.columns - NAMES) / CELL));
  const heads = headsOf(model, timeMs);
  const known = model.tree.blocks.filter((block) => model.isKnown(block, timeMs));
  const highest = known.reduce((most, { height }) => Math.max(most, height), model.tree.lowest) - window.back;
  const lowest = Math.max(highest - cells + 1, model.tree.lowest);
  const shown = known.filter(({ height }) => height >= lowest && height <= highest);
  const best = bestBranch(model, timeMs, lowest);
  const rowOf = rowsOf(shown, best, window.rows - 1);
  const lines = createGrid(rowOf.size, window.columns);
  for (const block of shown) {
    const row = rowOf.get(block.lane);
    if (row === undefined) continue;
    const column = (block.height - lowest) * CELL;
    const parent = model.tree.blocks[block.parent];
    const parentRow =
      parent === undefined || !model.isKnown(parent, timeMs) ? undefined : rowOf.get(parent.lane);
    if (parentRow !== undefined) connect(lines, column, parentRow, row);
    const here = heads.get(block.index);
    const format = formatOf(block, best);
    lines.put(row, column + DIGITS, shortDigits(block.id), format);
    if (here === undefined) continue;
    lines.put(row, column + OPEN, "[", format);
    lines.put(row, column + CLOSE, "]", format);
    const isLast = !shown.some(({ lane, height }) => lane === block.lane && height > block.height);
    if (isLast) lines.put(row, column + CELL + 1, here.join(" "), "cyan");
  }
  return [heightsLine(lowest, highest), ...lines.all()];
}

function headsOf(model: RecordingModel, timeMs: number): Map<number, number[]> {
  const heads = new Map<number, number[]>();
  for (const { n } of model.nodes) {
    const { head } = model.nodeAt(n, timeMs);
    if (head !== undefined) heads.set(head.index, [...(heads.get(head.index) ?? []), n]);
  }
  return heads;
}

function bestBranch(model: RecordingModel, timeMs: number, lowest: number): Set<number> {
  const branch = new Set<number>();
  let block = bestHead(model, timeMs);
  while (block !== undefined && block.height >= lowest) {
    branch.add(block.index);
    block = model.tree.blocks[block.parent];
  }
  return branch;
}

/** A line for each lane in use: that of the best head first, then those that reach furthest, as many as fit. */
function rowsOf(
  shown: readonly RecordedBlock[],
  best: ReadonlySet<number>,
  rows: number,
): Map<number, number> {
  const reach = new Map<number, number>();
  for (const { lane, height } of shown) reach.set(lane, Math.max(reach.get(lane) ?? 0, height));
  const bestLanes = new Set(shown.flatMap(({ index, lane }) => (best.has(index) ? [lane] : [])));
  const lanes = [...reach.keys()].sort(
    (a, b) =>
      Number(bestLanes.has(b)) - Number(bestLanes.has(a)) ||
      (reach.get(b) ?? 0) - (reach.get(a) ?? 0) ||
      a - b,
  );
  const kept = lanes.slice(0, Math.max(0, rows)).sort((a, b) => a - b);
  return new Map(kept.map((lane, row) => [lane, row]));
}

function formatOf(block: RecordedBlock, best: ReadonlySet<number>): Format {
  if (block.isInvalid) return "red";
  return best.has(block.index) ? "green" : "yellow";
}

interface Grid {
  put(row: number, column: number, text: string, format?: Format): void;
  /** Adds arms to the connection at a place. */
  join(row: number, column: number, arms: number): void;
  all(): Line[];
}

function connect(grid: Grid, column: number, from: number, to: number): void {
  const joint = column + JOINT;
  // Over the parent's closing bracket and up to this block's digits.
  for (const place of [joint + 1, column + OPEN]) grid.join(to, place, LEFT | RIGHT);
  if (from === to) {
    grid.join(to, joint, LEFT | RIGHT);
    if (column > 0) grid.join(to, joint - 1, LEFT | RIGHT);
    return;
  }
  const isDown = to > from;
  grid.join(from, joint, LEFT | (isDown ? DOWN : UP));
  if (column > 0) grid.join(from, joint - 1, LEFT | RIGHT);
  for (let row = Math.min(from, to) + 1; row < Math.max(from, to); row++) grid.join(row, joint, UP | DOWN);
  grid.join(to, joint, RIGHT | (isDown ? UP : DOWN));
}

function createGrid(rows: number, columns: number): Grid {
  const characters = Array.from({ length: rows }, () => Array.from({ length: columns }, () => " "));
  const arms = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0));
  const formats = Array.from({ length: rows }, () =>
    Array.from({ length: columns }, (): Format | undefined => undefined),
  );
  return {
    put(row, column, text, format) {
      for (const [i, character] of [...text].entries()) {
        if (column + i >= columns) return;
        characters[row]![column + i] = character;
        formats[row]![column + i] = format;
      }
    },
    join(row, column, added) {
      if (column < columns && arms[row] !== undefined) arms[row][column] = (arms[row][column] ?? 0) | added;
    },
    all: () =>
      characters.map((line, row) => {
        const pieces: Piece[] = [];
        let text = "";
        let format: Format | undefined;
        for (const [column, character] of line.entries()) {
          const shown = character === " " ? (JOINTS[arms[row]?.[column] ?? 0] ?? " ") : character;
          const next = formats[row]?.[column];
          if (next !== format && text !== "") {
            pieces.push({ text, format });
            text = "";
          }
          format = next;
          text += shown;
        }
        return [...pieces, { text, format }];
      }),
  };
}

function heightsLine(lowest: number, highest: number): Line {
  let text = "";
  for (let height = lowest; height <= highest; height++)
    text += `${" ".repeat(DIGITS)}${height}`.padEnd(CELL).slice(0, CELL);
  return [{ text, format: "dim" }];
}
