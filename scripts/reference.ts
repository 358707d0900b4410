/**
 * `npm run reference`: writes docs/reference.md, every command, option and key of genesis.json with its meaning, range
 * and default, from the definitions that the program itself works by. A test holds the page to them.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command, Option } from "commander";
import { createProgram } from "../src/cli/program.ts";
import { GenesisJson } from "../src/primitives/index.ts";

export const referenceFile: string = fileURLToPath(new URL("../docs/reference.md", import.meta.url));

const INTRODUCTION = `# Reference

Every command, every option, every key of \`genesis.json\`. Made by \`npm run reference\` from the definitions that the program
itself works by, and held to them by a test: change those, not this page. How to run a node is in
[operations.md](operations.md); what the rules mean in [protocol.md](protocol.md).

Every command takes \`--help\`. Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 timed out, 130 interrupted. A node has no
configuration file: its options stand on its command line, the rules of its network in \`genesis.json\`.
`;

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(...head), `|${"---|".repeat(head.length)}`, ...rows.map((cells) => row(...cells))].join("\n");

/** Commands that do something, in the order of `--help`, each with the words that lead to it. */
function commandsOf(command: Command, path: readonly string[] = []): { path: string; command: Command }[] {
  const own = path.length > 0 && (command.commands.length === 0 || command.registeredArguments.length > 0);
  return [
    ...(own ? [{ path: path.join(" "), command }] : []),
    ...command.commands.flatMap((sub) => commandsOf(sub, [...path, sub.name()])),
  ];
}

/** What stands below the lists in a command's help: its examples. */
function examplesOf(command: Command): string {
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text), getOutHasColors: () => false });
  command.outputHelp();
  const lines = help.split("\n");
  const start = lines.findIndex((line) => /^Examples?:/.test(line));
  const examples: string[] = [];
  for (const line of start < 0 ? [] : lines.slice(start + 1)) {
    if (!line.startsWith("  ")) break;
    examples.push(line.slice(2));
  }
  return examples.join("\n");
}

/** What every command that asks a node takes: told once. */
const NODE_OPTIONS = ["--api", "--data", "--token-file"];
const asksNode = (command: Command): boolean =>
  NODE_OPTIONS.every((long) => command.options.some((option) => option.long === long && !option.mandatory)) &&
  command.name() !== "start";

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function defaultOf({ defaultValue, defaultValueDescription, negate }: Option): string {
  if (defaultValueDescription !== undefined) return `\`${defaultValueDescription}\``;
  if (negate || defaultValue === undefined || defaultValue === false) return "";
  return `\`${String(defaultValue)}\``;
}

const optionRow = (option: Option): string[] => [
  `\`${option.flags}\`${option.mandatory ? " (required)" : ""}`,
  option.description,
  defaultOf(option),
];

function describe({ path, command }: { path: string; command: Command }): string {
  const args = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  const explained = command.registeredArguments
    .filter(({ description }) => description !== "")
    .map((argument) => [`\`${argument.name()}\``, argument.description, ""]);
  const told = ["--json", ...(asksNode(command) ? NODE_OPTIONS : [])];
  const options = command.options
    .filter(({ hidden, long }) => !hidden && !told.includes(long ?? ""))
    .map(optionRow);
  const examples = examplesOf(command);
  const rows = [...explained, ...options];
  return [
    `### ${["cumulo", path, ...args].join(" ")}`,
    `${sentence(command.description())}${asksNode(command) ? " Asks a node." : ""}`,
    ...(rows.length > 0 ? [table(["", "meaning", "default"], rows)] : []),
    ...(examples === "" ? [] : [`\`\`\`sh\n${examples}\n\`\`\``]),
  ].join("\n\n");
}

interface KeySchema {
  /** What it is for, where the description says what it looks like. */
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly items?: { readonly properties?: Readonly<Record<string, KeySchema>> };
}

const inWords = (value: number): string =>
  value === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : value.toLocaleString("en");

function allowed(schema: KeySchema): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(", ");
  if (schema.minimum !== undefined && schema.maximum !== undefined)
    return `${inWords(schema.minimum)} to ${inWords(schema.maximum)}`;
  if (schema.items !== undefined) {
    const keys = Object.keys(schema.items.properties ?? {}).map((key) => `\`${key}\``);
    return `list of { ${keys.join(", ")} }, at most ${inWords(schema.maxItems ?? 0)}`;
  }
  return "text";
}

function genesis(): string {
  const rows = Object.entries(GenesisJson.properties as unknown as Record<string, KeySchema>).map(
    ([key, schema]) => [
      `\`${key}\``,
      allowed(schema),
      schema.default === undefined ? "" : `\`${String(schema.default)}\``,
      [schema.title, schema.description].filter((text) => text !== undefined).join("; "),
    ],
  );
  return [
    "## genesis.json",
    "The rules of a network: two nodes are of one network exactly if these say the same. Made by `cumulo genesis new`. A key " +
      "that is\nnot listed here is refused; every key but `name` may be left out.",
    table(["key", "allowed", "default", "meaning"], rows),
  ].join("\n\n");
}

function commandsIntroduction(program: Command): string {
  const options = program.commands
    .find(asksNode)
    ?.options.filter(({ long }) => NODE_OPTIONS.includes(long ?? ""));
  return [
    "All but `completion` and `schema` also take `--json`; `cumulo schema COMMAND` says what they print then. Commands that ask a node find it by these:",
    table(["", "meaning", "default"], (options ?? []).map(optionRow)),
  ].join("\n\n");
}

/** The whole page. */
export function renderReference(): string {
  const program = createProgram();
  const commands = commandsOf(program).map(describe);
  return `${[INTRODUCTION.trimEnd(), genesis(), "## Commands", commandsIntroduction(program), ...commands].join("\n\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(referenceFile, renderReference());
