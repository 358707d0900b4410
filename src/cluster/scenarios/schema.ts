import type { JsonSchema, Kind } from "./kinds.ts";
import { ASSERTIONS, type Option, STEPS, type Word } from "./language.ts";
import { KEYS, type Key, MAX_STEPS, STEPS_ABOUT } from "./scenario.ts";

type AnyWord = Word<unknown, Readonly<Record<string, Option<unknown, boolean>>>>;

const optionSchemas = ({ options }: AnyWord): Record<string, JsonSchema> =>
  Object.fromEntries(
    Object.entries(options).map(([name, { kind, about }]) => [name, { ...kind.schema, description: about }]),
  );
const neededOf = ({ options }: AnyWord): string[] =>
  Object.entries(options).flatMap(([name, { isNeeded }]) => (isNeeded ? [name] : []));

function wordSchema(key: string, value: JsonSchema, word: AnyWord): JsonSchema {
  return {
    type: "object",
    description: word.about,
    additionalProperties: false,
    properties: { [key]: value, ...optionSchemas(word) },
    required: [key, ...neededOf(word)],
  };
}

const valueSchema = (kind: Kind<unknown> | undefined, about: string): JsonSchema =>
  kind === undefined ? { type: "null", description: about } : { ...kind.schema, description: about };

/** JSON Schema of a scenario's file, for editors: names that stand for nothing are found only by a run. */
export function scenarioSchema(): JsonSchema {
  const words = Object.entries(STEPS) as [string, AnyWord][];
  const assertions = Object.entries(ASSERTIONS) as [string, AnyWord][];
  const bareWords = words.filter(([, { value }]) => value === undefined).map(([name]) => name);
  const steps = words.map(([name, word]) => wordSchema(name, valueSchema(word.value, word.about), word));
  const asserted = assertions.map(([name, word]) =>
    wordSchema("assert", { const: name, description: word.about }, word),
  );
  const keys = Object.entries(KEYS) as [string, Key][];
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A scenario of cumulo cluster run",
    type: "object",
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(
        keys.map(([name, { about, schema }]) => [name, { ...schema, description: about }]),
      ),
      steps: {
        type: "array",
        description: STEPS_ABOUT,
        minItems: 1,
        maxItems: MAX_STEPS,
        items: { anyOf: [{ enum: bareWords }, ...steps, ...asserted] },
      },
    },
    required: [...keys.flatMap(([name, { isNeeded }]) => (isNeeded === true ? [name] : [])), "steps"],
  };
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
const rows = (entries: readonly (readonly string[])[]): string =>
  entries.map((cells) => `| ${cells.map(cell).join(" | ")} |`).join("\n");

function optionsText({ options }: AnyWord): string {
  const told = Object.entries(options).map(([name, { isNeeded }]) => (isNeeded ? `**${name}**` : name));
  return told.join(", ");
}

/** The tables of docs/scenarios.md, from the same source as all else. */
export function languageTables(): string {
  const keys = (Object.entries(KEYS) as [string, Key][]).map(([name, { about, isNeeded }]) => [
    isNeeded === true ? `**${name}**` : name,
    about,
  ]);
  const steps = (Object.entries(STEPS) as [string, AnyWord][]).map(([name, word]) => [
    `\`${name}\``,
    word.value === undefined ? "" : word.value.says,
    word.about,
    optionsText(word),
  ]);
  const assertions = (Object.entries(ASSERTIONS) as [string, AnyWord][]).map(([name, word]) => [
    `\`${name}\``,
    word.about,
    optionsText(word),
  ]);
  const words = [...Object.values(STEPS), ...Object.values(ASSERTIONS)] as AnyWord[];
  const options = new Map<string, string>();
  for (const word of words)
    for (const [name, { kind, about }] of Object.entries(word.options))
      if (!options.has(`${name}: ${about}`)) options.set(`${name}: ${about}`, kind.says);
  const optionRows = [...options]
    .map(([told, says]) => [`\`${told.split(": ")[0]}\``, told.slice(told.indexOf(": ") + 2), says] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return [
    "### Keys\n",
    `| key | what it says |\n|---|---|\n${rows([...keys, ["**steps**", STEPS_ABOUT]])}\n`,
    "### Steps\n",
    `| step | what stands after it | what it does | options |\n|---|---|---|---|\n${rows(steps)}\n`,
    "### Assertions\n",
    `| \`assert:\` | what must be true | options |\n|---|---|---|\n${rows(assertions)}\n`,
    "### Options\n",
    `| option | what it says | how it is written |\n|---|---|---|\n${rows(optionRows)}\n`,
  ].join("\n");
}
