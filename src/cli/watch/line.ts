import { styleText } from "node:util";

export type Format = "bold" | "dim" | "green" | "yellow" | "red" | "cyan" | "inverse";

/** A piece of a line in one colour. One character is one column: what comes from elsewhere goes through `plain`. */
export interface Piece {
  readonly text: string;
  readonly format?: Format | undefined;
}
export type Line = readonly Piece[];

/** What a node or a peer says, as it may stand on a terminal: no escapes, nothing wider than a column. */
export const plain = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");

export const widthOf = (line: Line): number => line.reduce((sum, { text }) => sum + text.length, 0);

/** The line cut to a width, or filled up to it. */
export function toWidth(line: Line, columns: number): Line {
  const fitted: Piece[] = [];
  let left = columns;
  for (const { text, format } of line) {
    if (left <= 0) break;
    fitted.push({ text: text.slice(0, left), format });
    left -= text.length;
  }
  if (left > 0) fitted.push({ text: " ".repeat(left) });
  return fitted;
}

/** For a terminal; without colours nothing but the text. */
export function render(line: Line, hasColours: boolean): string {
  return line
    .map(({ text, format }) =>
      hasColours && format !== undefined ? styleText(format, text, { validateStream: false }) : text,
    )
    .join("");
}
