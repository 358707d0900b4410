import { type Alias, isAlias, isNode, LineCounter, type Node, parseDocument } from "yaml";

/** Something wrong in a scenario's file, where it stands. Lines and columns are counted from 1. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** Where in the scenario, such as `steps[3].at`; empty for all of it. */
  readonly key: string;
  /** One sentence. */
  readonly message: string;
}

/** What is told of one file, at most: a file that is something else altogether is wrong in every line. */
const MAX_PROBLEMS = 50;

/** Steps that turn one word into another, each a character put in, taken out, changed, or swapped with its neighbour. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The known word that was most likely meant, or undefined where none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().slice(0, 40);
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  const [best] = known
    .map((one) => ({ one, steps: distance(wanted, one.toLowerCase()) }))
    .filter(({ steps }) => steps <= allowed)
    .sort((a, b) => a.steps - b.steps);
  return best?.one;
}

/** A word as a message shows it. */
export const quoted = (text: string): string =>
  JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** `there is no node "nort"; did you mean "north"?`, or with all that there are. */
export function unknownWord(what: string, word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const told = known.length === 0 ? "there are none" : `there are: ${known.join(", ")}`;
  return `there is no ${what} ${quoted(word)}; ${near === undefined ? told : `did you mean ${quoted(near)}?`}`;
}

/** A file's text with its nodes, and where each of them stands. */
export interface Source {
  readonly root: Node | null;
  readonly problems: Problem[];
  lineOf(node: unknown): number;
  tell(node: unknown, key: string, message: string): void;
}

/** Aliases would let a short file unfold to a huge one, and nobody reads them aloud. */
function tellAliases(source: Source, node: unknown): void {
  if (isAlias(node)) source.tell(node, "", `write it out: *${(node as Alias).source} is not understood here`);
}

/** Reads a file's text; what is no YAML at all stands in `problems`. */
export function parseSource(text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2" });
  const problems: Problem[] = [];
  const add = (offset: number, key: string, message: string): void => {
    const { line, col } = lines.linePos(offset);
    if (problems.length < MAX_PROBLEMS)
      problems.push({ line: Math.max(1, line), column: Math.max(1, col), key, message });
  };
  const offsetOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);
  for (const { pos, message } of [...document.errors, ...document.warnings])
    add(pos[0], "", `not YAML as it is meant here: ${message.replace(/\s+/g, " ")}`);
  const source: Source = {
    root: document.contents as Node | null,
    problems,
    lineOf: (node) => Math.max(1, lines.linePos(offsetOf(node)).line),
    tell: (node, key, message) => add(offsetOf(node), key, message),
  };
  visitAliases(source, source.root, 0);
  return source;
}

const MAX_DEPTH = 12;

function visitAliases(source: Source, node: unknown, depth: number): void {
  tellAliases(source, node);
  const { items } = (node ?? {}) as { items?: readonly unknown[] };
  if (!Array.isArray(items)) return;
  if (depth > MAX_DEPTH) {
    source.tell(node, "", "it is nested too deep");
    return;
  }
  for (const item of items) {
    const { key, value } = (item ?? {}) as { key?: unknown; value?: unknown };
    const isPair = isNode(item) === false;
    for (const inner of isPair ? [key, value] : [item]) visitAliases(source, inner, depth + 1);
  }
}

/** Problems as a compiler tells them: `FILE:12:5: steps[3].at: there is no node 9; ...`, one a line, by line. */
export function formatProblems(file: string, problems: readonly Problem[]): string[] {
  return problems
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .map(
      ({ line, column, key, message }) =>
        `${file}:${line}:${column}: ${key === "" ? "" : `${key}: `}${message}`,
    );
}
