import { isMap, isScalar, isSeq, type Pair } from "yaml";
import { textOf } from "./kinds.ts";
import {
  type Action,
  ASSERTIONS,
  type Assertion,
  type Option,
  STEPS,
  type Step,
  type Word,
} from "./language.ts";
import { nearest, quoted, unknownWord } from "./problems.ts";
import type { Reading } from "./reading.ts";

type AnyWord = Word<unknown, Readonly<Record<string, Option<unknown, boolean>>>>;
const STEP_WORDS = STEPS as Readonly<Record<string, AnyWord>>;
const ASSERTION_WORDS = ASSERTIONS as Readonly<Record<string, AnyWord>>;
const ASSERT = "assert";
const ALL_WORDS = [...Object.keys(STEP_WORDS), ASSERT];

/** A value as one would say it. */
function spoken(node: unknown): string {
  if (isScalar(node)) return textOf(node) ?? "";
  if (!isSeq(node)) return "";
  const items = node.items.map((item) => (isSeq(item) ? item.items.map(spoken).join(",") : spoken(item)));
  return items.length === 2 ? items.join(" and ") : items.join(", ");
}

const speak = (pairs: readonly Pair[]): string =>
  pairs
    .map(({ key, value }) => [textOf(key), spoken(value)].filter((part) => part !== "").join(" "))
    .join(", ")
    .slice(0, 200);

/** The pair that says what the step does; told where there is none or more than one. */
function findWord(pairs: readonly Pair[], at: unknown, reading: Reading, key: string): Pair | undefined {
  const known = pairs.filter(({ key: word }) => ALL_WORDS.includes(textOf(word) ?? ""));
  const [only, other] = known;
  if (only !== undefined && other === undefined) return only;
  if (other !== undefined) {
    // `save` is a step and an option of others: as an option it comes after.
    const [first] = pairs;
    if (first !== undefined && known.includes(first)) return first;
    const words = known.map(({ key: word }) => quoted(textOf(word) ?? ""));
    reading.tell(
      other.key,
      key,
      `this is two steps in one (${words.join(", ")}); begin each with a - of its own`,
    );
    return undefined;
  }
  const [first] = pairs;
  const word = textOf(first?.key) ?? "";
  reading.tell(first?.key ?? at, key, unknownWord("step", word, ALL_WORDS));
  return undefined;
}

/** Reads the options of a word; undefined where one is wrong. */
function readOptions(
  pairs: readonly Pair[],
  { word, known, at }: { readonly word: string; readonly known: AnyWord; readonly at: unknown },
  reading: Reading,
  key: string,
): Record<string, unknown> | undefined {
  const found: Record<string, unknown> = {};
  let isGood = true;
  for (const { key: nameNode, value } of pairs) {
    const name = textOf(nameNode) ?? "";
    const option = known.options[name];
    if (option === undefined) {
      const names = Object.keys(known.options);
      const near = nearest(name, names);
      const told = names.length === 0 ? "it has none" : `it has: ${names.join(", ")}`;
      const why = ALL_WORDS.includes(name)
        ? "; if it is a step of its own, begin it with a -"
        : `; ${near === undefined ? told : `did you mean ${quoted(near)}?`}`;
      reading.tell(nameNode, `${key}.${name}`, `${word} has no option ${quoted(name)}${why}`);
      isGood = false;
      continue;
    }
    const read = option.kind.read(value ?? nameNode, reading, `${key}.${name}`);
    if (read === undefined) isGood = false;
    found[name] = read;
  }
  for (const [name, { isNeeded, about }] of Object.entries(known.options))
    if (isNeeded && !(name in found)) {
      reading.tell(at, key, `${word} needs ${name}: ${about}`);
      isGood = false;
    }
  if (!isGood) return undefined;
  const problem = known.check?.(found);
  if (problem !== undefined) reading.tell(at, key, problem);
  return problem === undefined ? found : undefined;
}

function readAssertion(
  first: Pair,
  others: readonly Pair[],
  reading: Reading,
  key: string,
): Pick<Assertion, "word" | "options"> | undefined {
  const word = textOf(first.value) ?? "";
  const known = ASSERTION_WORDS[word];
  if (known === undefined) {
    reading.tell(first.value ?? first.key, key, unknownWord("assertion", word, Object.keys(ASSERTION_WORDS)));
    return undefined;
  }
  const options = readOptions(others, { word: `assert ${word}`, known, at: first.key }, reading, key);
  return options === undefined ? undefined : ({ word, options } as Pick<Assertion, "word" | "options">);
}

function readAction(
  first: Pair,
  others: readonly Pair[],
  reading: Reading,
  key: string,
): Pick<Action, "word" | "options" | "value"> | undefined {
  const word = textOf(first.key) ?? "";
  const known = STEP_WORDS[word] as AnyWord;
  let value: unknown;
  if (known.value === undefined) {
    const given = textOf(first.value) ?? (first.value == null || isScalar(first.value) ? "" : "x");
    if (given !== "") {
      reading.tell(first.value, `${key}.${word}`, `${word} takes nothing after it`);
      return undefined;
    }
  } else {
    value = known.value.read(first.value ?? first.key, reading, `${key}.${word}`);
  }
  const options = readOptions(others, { word, known, at: first.key }, reading, key);
  const isGood = options !== undefined && (known.value === undefined || value !== undefined);
  return isGood ? ({ word, value, options } as Pick<Action, "word" | "options" | "value">) : undefined;
}

/** Whether it means something, by the roles of nodes and with its value; one sentence where it does not. */
function checkMeaning(
  action: Pick<Action, "word" | "value" | "options">,
  reading: Reading,
): string | undefined {
  if (action.word === "wait" && action.value !== "converged" && Object.keys(action.options).length > 0)
    return "within and at go with wait: converged only";
  if (action.word === "mining" && action.value === "off" && "share" in action.options)
    return "share goes with mining: on only";
  if (action.word === "join") {
    const other = (action.value as readonly number[]).find((n) => !reading.late.has(n));
    if (other !== undefined)
      return `node ${other} runs from the start, or has joined before; name it under late: if it is to come later`;
    for (const n of action.value as readonly number[]) reading.late.delete(n);
  }
  if (action.word === "release") {
    // Those that hide blocks; the other parts have nothing to show.
    const hides = ["withhold", "selfish-miner"];
    const other = (action.value as readonly number[]).find(
      (n) => !hides.includes(reading.attackers.get(n) ?? ""),
    );
    if (other !== undefined)
      return `node ${other} withholds nothing; give it the role under attackers: ${other}: withhold`;
  }
  return undefined;
}

/** One step of the list, or undefined where what is wrong has been told. */
export function readStep(at: unknown, reading: Reading, key: string): Step | undefined {
  const line = reading.lineOf(at);
  const bareWord = textOf(at);
  if (bareWord !== undefined) {
    const known = STEP_WORDS[bareWord];
    if (known?.value === undefined && known !== undefined)
      return { kind: "action", word: bareWord, value: undefined, options: {}, line, text: bareWord } as Step;
    const message =
      known === undefined && bareWord !== ASSERT
        ? unknownWord("step", bareWord, ALL_WORDS)
        : `${bareWord} needs something after it, such as "${bareWord}: ..."`;
    reading.tell(at, key, message);
    return undefined;
  }
  if (!isMap(at) || at.items.length === 0) {
    reading.tell(
      at,
      key,
      "a step is a word, such as heal, or a word with what belongs to it, such as mine: 3 blocks",
    );
    return undefined;
  }
  const pairs = at.items as Pair[];
  const first = findWord(pairs, at, reading, key);
  if (first === undefined) return undefined;
  const others = pairs.filter((pair) => pair !== first);
  const text = speak([first, ...others]);
  if (textOf(first.key) === ASSERT) {
    const assertion = readAssertion(first, others, reading, key);
    return assertion === undefined ? undefined : ({ kind: "assertion", ...assertion, line, text } as Step);
  }
  const action = readAction(first, others, reading, key);
  if (action === undefined) return undefined;
  const problem = checkMeaning(action, reading);
  if (problem !== undefined) reading.tell(first.value, `${key}.${action.word}`, problem);
  return problem === undefined ? ({ kind: "action", ...action, line, text } as Step) : undefined;
}
