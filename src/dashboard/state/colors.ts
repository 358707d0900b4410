/** A node's colour is the same on the whole page; dark text is readable on each of them. */
const NODE_COLORS = [
  "#5b96ff",
  "#f2953c",
  "#3dba78",
  "#ea6aa6",
  "#a184f4",
  "#22b3c2",
  "#dbb02a",
  "#ec675f",
  "#90c03c",
  "#c98d58",
  "#8b9dbb",
  "#cf76dd",
] as const;

/** Text on any of them. */
export const INK = "#0b0f17";
/** Of a proposer that is no node of the recording. */
export const STRANGER = "#8a93a6";

export const nodeColor = (n: number | undefined): string =>
  n === undefined ? STRANGER : (NODE_COLORS[(n - 1) % NODE_COLORS.length] as string);

/** The page's colours as they are now, for what is drawn on a canvas. */
export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  readonly accent: string;
  readonly bad: string;
  readonly good: string;
  readonly warn: string;
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return {
    text: read("text"),
    muted: read("muted"),
    line: read("line"),
    surface: read("surface"),
    accent: read("accent"),
    bad: read("bad"),
    good: read("good"),
    warn: read("warn"),
  };
}
