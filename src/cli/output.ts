import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Whether what is printed may be coloured. */
export const hasColours = (): boolean =>
  process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;

/** Styled on a terminal, plain anywhere else. */
export function style(format: Style, text: string): string {
  return hasColours() ? styleText(format, text, { validateStream: false }) : text;
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A word as a shell reads it back: hints are there to be copied. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** One JSON value on one line, for machines. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value));
}

/** "1 coin", "0.5 coins", "2 blocks": a count with its noun, which takes an s. */
export const countOf = (count: number | string, noun: string): string =>
  `${count} ${noun}${String(count) === "1" ? "" : "s"}`;

/** Rows under headings, without lines: short enough to read and to cut with awk. A last column of sentences may wrap. */
export async function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  { lastWidth }: { readonly lastWidth?: number } = {},
): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const none = Object.fromEntries(
    ["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"].map(
      (k) => [k, ""],
    ),
  );
  const rules = Object.fromEntries(
    ["left", "left-mid", "mid", "mid-mid", "right", "right-mid"].map((k) => [k, ""]),
  );
  const result = new Table({
    head: headings.map((heading) => style("dim", heading)),
    chars: { ...none, ...rules, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    ...(lastWidth === undefined
      ? {}
      : { colWidths: [...headings.slice(1).map(() => null), lastWidth], wordWrap: true }),
  });
  for (const row of rows) result.push([...row]);
  return result
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Names and values, aligned. */
export function fields(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${style("dim", name.padEnd(width))}  ${value}`).join("\n");
}

/** Enough of an id to tell it apart, and for a node to find it again. */
export const shortId = (id: string): string => id.slice(0, 12);
/** The end of a peer's name or an address is what differs: all names begin with 12D3Koo. */
export const shortPeer = (peer: string): string => (peer.length > 12 ? `…${peer.slice(-8)}` : peer);

/** Work in decimal while it is short. */
export function formatWork(hex: string): string {
  const value = BigInt(`0x${hex}`);
  return value < 10n ** 15n ? value.toLocaleString("en-US") : `0x${hex}`;
}

/** Ms as people say it. */
export function formatDuration(valueMs: number): string {
  if (valueMs < 1_000) return `${Math.round(valueMs)} ms`;
  if (valueMs < 60_000) return `${(valueMs / 1_000).toFixed(1)} s`;
  if (valueMs < 3_600_000)
    return `${Math.floor(valueMs / 60_000)} min ${Math.floor((valueMs % 60_000) / 1_000)} s`;
  return `${Math.floor(valueMs / 3_600_000)} h ${Math.floor((valueMs % 3_600_000) / 60_000)} min`;
}

/** Shows on stderr that long work goes on: a spinner on a terminal, nothing elsewhere. `text` may change meanwhile. */
export async function withProgress<T>(
  text: string,
  work: (update: (text: string) => void) => Promise<T>,
): Promise<T> {
  if (process.stderr.isTTY !== true) return work(() => {});
  const { default: ora } = await import("ora");
  const spinner = ora({ text, stream: process.stderr, discardStdin: false }).start();
  try {
    return await work((next) => {
      spinner.text = next;
    });
  } finally {
    spinner.stop();
  }
}
