import { isScalar, isSeq, type Node } from "yaml";
import { formatCoins, parseCoins } from "../../primitives/index.ts";
import { nearest, quoted, unknownWord } from "./problems.ts";
import type { Reading } from "./reading.ts";

/** As much of JSON Schema as a scenario's needs. */
export type JsonSchema = { readonly [key: string]: unknown };

/** One sort of value: how it is written, and what it means. */
export interface Kind<T> {
  /** Finishes "it must be ...". */
  readonly says: string;
  readonly schema: JsonSchema;
  /** The value, or undefined where what is wrong has been told. */
  read(node: unknown, reading: Reading, key: string): T | undefined;
}

export type ValueOf<K> = K extends Kind<infer T> ? T : never;

/** Least and most, both included. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** A scalar's text as it is written; numbers too, so that `7` and `"7"` are the same. */
export function textOf(node: unknown): string | undefined {
  if (!isScalar(node)) return undefined;
  const { value, source } = node;
  if (typeof value === "string") return value.trim();
  return typeof value === "number" || typeof value === "boolean" ? (source ?? String(value)) : undefined;
}

/** A kind that is written as one scalar; `parse` gives undefined for what it does not take, or a sentence about it. */
export function scalar<T>(
  says: string,
  schema: JsonSchema,
  parse: (text: string, reading: Reading) => T | Error | undefined,
): Kind<T> {
  return {
    says,
    schema,
    read(node, reading, key) {
      const text = textOf(node);
      const value = text === undefined || text === "" ? undefined : parse(text, reading);
      if (value !== undefined && !(value instanceof Error)) return value;
      const shown = text === undefined ? "" : `, not ${quoted(text)}`;
      reading.tell(node, key, value instanceof Error ? value.message : `it must be ${says}${shown}`);
      return undefined;
    },
  };
}

const pattern = (regular: RegExp, description: string): JsonSchema => ({
  type: "string",
  pattern: regular.source,
  description,
});

/** A number with one of several units; the error says which there are, and what is most likely meant. */
function measure(
  what: string,
  example: string,
  units: Readonly<Record<string, number>>,
  { least, most, limits }: { readonly least: number; readonly most: number; readonly limits: string },
): Kind<number> {
  const names = Object.keys(units);
  const regular = new RegExp(`^(\\d{1,9}(?:\\.\\d{1,8})?) ?(${names.join("|").replaceAll("/", "\\/")})$`);
  const says = `${what} such as ${example}`;
  return scalar(says, pattern(regular, says), (text) => {
    const [, amount, unit = ""] = regular.exec(text) ?? [];
    if (amount === undefined) {
      const [, number, other] = /^(-?\d+(?:\.\d+)?) *([^\d\s]*)$/.exec(text) ?? [];
      if (number === undefined) return undefined;
      if (other === "")
        return new Error(`${number} has no unit; it must be ${says} (units: ${names.join(", ")})`);
      if (!names.includes(other ?? "")) return new Error(unknownWord("unit", other ?? "", names));
      return undefined;
    }
    const value = Number(amount) * (units[unit] ?? Number.NaN);
    return value >= least && value <= most ? value : new Error(`it must be ${limits}, not ${quoted(text)}`);
  });
}

const TIME_UNITS = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };
/** A scenario is watched, so nothing in it takes longer than an hour. */
export const MAX_TIME_MS = 3_600_000;

/** To ms. */
export const time: Kind<number> = measure("a time", "500ms, 30s or 2m", TIME_UNITS, {
  least: 0,
  most: MAX_TIME_MS,
  limits: "at most 1h",
});
/** To a ratio of 1. */
export const percent: Kind<number> = measure(
  "a share",
  "5%",
  { "%": 0.01 },
  {
    least: 0,
    most: 1,
    limits: "0% to 100%",
  },
);
/** To bytes a second. */
export const bandwidth: Kind<number> = measure(
  "a bandwidth",
  "1mbit, 500kbit or 64kbyte (a second)",
  { kbit: 125, mbit: 125_000, gbit: 125_000_000, kbyte: 1_000, mbyte: 1_000_000 },
  { least: 125, most: 1_250_000_000, limits: "1kbit to 10gbit" },
);
/** To transfers a second. */
export const rate: Kind<number> = measure(
  "a rate",
  "20/s",
  { "/s": 1 },
  {
    least: 0.1,
    most: 500,
    limits: "0.1/s to 500/s",
  },
);
export const bits: Kind<number> = measure(
  "a number of bits",
  "10 bits",
  { bits: 1, bit: 1 },
  {
    least: 0,
    most: 40,
    limits: "0 bits to 40 bits",
  },
);
/** To base units. */
export const coins: Kind<number> = scalar(
  "an amount such as 10 coins",
  pattern(/^\d{1,9}(\.\d{1,8})? coins?$/, "an amount such as 10 coins"),
  (text) => {
    const [, amount] = /^([\d.]+) coins?$/.exec(text) ?? [];
    if (amount === undefined && /^[\d.]+$/.test(text))
      return new Error(`${text} has no unit; it must be an amount such as ${text} coins`);
    const units = parseCoins(amount ?? "");
    return units === undefined || units <= 0 ? undefined : units;
  },
);

const MAX_BLOCKS = 1_000;
const blockCount = (text: string): number | undefined => {
  const [, count, unit] = /^(\d{1,4}) (blocks?)$/.exec(text) ?? [];
  return count === undefined || unit === undefined ? undefined : Number(count);
};

/** "A to B" of a kind, or one value for both; which of them it is is drawn from the seed. */
export function ranged(kind: Kind<number>, one: RegExp, example: string): Kind<Range> {
  const says = `${kind.says}, or a range such as ${example}`;
  return {
    says,
    schema: pattern(new RegExp(`^${one.source}( to ${one.source})?$`), says),
    read(node, reading, key) {
      const text = textOf(node);
      const [, from, to] = /^(.+?) to (.+)$/.exec(text ?? "") ?? [];
      if (from === undefined || to === undefined) {
        const value = kind.read(node, reading, key);
        return value === undefined ? undefined : { least: value, most: value };
      }
      // "1 to 3 blocks": the unit stands once.
      const unit = /[^\d.]+$/.exec(to)?.[0] ?? "";
      const whole = /\d$/.test(from) ? from + unit : from;
      const [least, most] = [whole, to].map((part) =>
        kind.read(reading.scalarLike(node, part), reading, key),
      );
      if (least === undefined || most === undefined) return undefined;
      if (least < most) return { least, most };
      reading.tell(node, key, `the range must go upwards, such as ${example}`);
      return undefined;
    },
  };
}

const oneCountOfBlocks: Kind<number> = scalar("a number of blocks such as 3 blocks", {}, (text) => {
  if (/^\d+$/.test(text))
    return new Error(`${text} has no unit; it must be a number of blocks such as ${text} blocks`);
  const count = blockCount(text);
  return count === undefined || count < 1 || count > MAX_BLOCKS ? undefined : count;
});
export const blocks: Kind<Range> = ranged(oneCountOfBlocks, /\d{1,4}( blocks?)?/, "1 to 3 blocks");
export const times: Kind<Range> = ranged(time, /\d{1,9}(\.\d{1,8})? ?(ms|s|m|min|h)/, "1s to 3s");

/** "7", "at least 7", "at most 7", of a number that `one` reads. */
function compared(says: string, regular: RegExp, one: (text: string) => number | undefined): Kind<Range> {
  const full = new RegExp(`^(at least |at most )?${regular.source}$`);
  const schema = { anyOf: [{ type: "integer", minimum: 0 }, pattern(full, says)] };
  return scalar(says, schema, (text) => {
    const [, word = "", rest = ""] = /^(at least |at most )?(.*)$/.exec(text) ?? [];
    const value = one(rest);
    if (value === undefined) return undefined;
    if (word === "at least ") return { least: value, most: Number.POSITIVE_INFINITY };
    return { least: word === "at most " ? 0 : value, most: value };
  });
}

const whole = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);
export const amountOf: Kind<Range> = compared(
  'a number such as 7, "at least 7" or "at most 7"',
  /\d{1,9}/,
  whole,
);
export const blocksCompared: Kind<Range> = compared(
  'a number of blocks such as "2 blocks", "at least 2 blocks" or "at most 2 blocks"',
  /\d{1,4}( blocks?)?/,
  (text) => blockCount(text),
);
export const shareCompared: Kind<Range> = compared(
  'a share such as "at least 40%" or "at most 60%"',
  /\d{1,3}%/,
  (text) => {
    const [, value] = /^(\d{1,3})%$/.exec(text) ?? [];
    return value === undefined || Number(value) > 100 ? undefined : Number(value) / 100;
  },
);

const spread = ({ least, most }: Range, show: (value: number) => string): string => {
  if (least === most) return show(least);
  return most === Number.POSITIVE_INFINITY ? `at least ${show(least)}` : `at most ${show(most)}`;
};
export const formatCompared = (range: Range): string => spread(range, String);
export const formatBlocks = (range: Range): string =>
  spread(range, (count) => `${count} block${count === 1 ? "" : "s"}`);
export const formatShare = (range: Range): string => spread(range, (value) => `${Math.round(value * 100)}%`);
export const formatAmount = (units: number): string => `${formatCoins(units)} coins`;

export const isWithin = ({ least, most }: Range, value: number): boolean => value >= least && value <= most;

export function oneOf<const Word extends string>(...words: Word[]): Kind<Word> {
  const says = words.map((word) => quoted(word)).join(words.length === 2 ? " or " : ", ");
  return scalar(says, { enum: words, description: says }, (text) => {
    const near = nearest(text, words);
    const hint = near === undefined ? "" : `; did you mean ${quoted(near)}?`;
    return words.find((word) => word === text) ?? new Error(`it must be ${says}, not ${quoted(text)}${hint}`);
  });
}

export const flag: Kind<boolean> = scalar("true or false", { type: "boolean" }, (text) =>
  text === "true" ? true : text === "false" ? false : undefined,
);

export const text: Kind<string> = scalar(
  "a text of at most 2000 characters",
  { type: "string", minLength: 1, maxLength: 2_000 },
  (given) => (given.length <= 2_000 ? given : undefined),
);

/** A list of `kind`, or where `orOne` is set also one without a list. */
export function listOf<T>(kind: Kind<T>, { orOne = false, most = 64 } = {}): Kind<readonly T[]> {
  const says = `a list, each ${kind.says}`;
  const list = { type: "array", minItems: 1, maxItems: most, items: kind.schema };
  return {
    says,
    schema: orOne ? { anyOf: [kind.schema, list] } : list,
    read(node, reading, key) {
      if (!isSeq(node)) {
        if (orOne) {
          const value = kind.read(node, reading, key);
          return value === undefined ? undefined : [value];
        }
        reading.tell(node, key, `it must be ${says}`);
        return undefined;
      }
      if (node.items.length === 0 || node.items.length > most) {
        reading.tell(node, key, `it must be a list of 1 to ${most}`);
        return undefined;
      }
      const values = node.items.map((item, i) => kind.read(item as Node, reading, `${key}[${i}]`));
      return values.every((value) => value !== undefined) ? (values as T[]) : undefined;
    },
  };
}

/** Exactly two of a kind. */
export function pairOf<T>(kind: Kind<T>): Kind<readonly [T, T]> {
  const says = `a pair, each ${kind.says}`;
  const list = listOf(kind, { most: 2 });
  return {
    says,
    schema: { type: "array", minItems: 2, maxItems: 2, items: kind.schema },
    read(node, reading, key) {
      if (isSeq(node) && node.items.length === 2)
        return list.read(node, reading, key) as readonly [T, T] | undefined;
      reading.tell(node, key, `it must be ${says}, such as [one, other]`);
      return undefined;
    },
  };
}

export const rateOrOff: Kind<number> = {
  says: `${rate.says}, or off`,
  schema: { anyOf: [rate.schema, { const: "off" }] },
  read: (node, reading, key) => (textOf(node) === "off" ? 0 : rate.read(node, reading, key)),
};

export const timesOrConverged: Kind<Range | "converged"> = {
  says: `${times.says}, or converged`,
  schema: { anyOf: [times.schema, { const: "converged" }] },
  read(node, reading, key) {
    const given = textOf(node);
    if (given === "converged") return "converged";
    if (given === undefined || /^\d/.test(given)) return times.read(node, reading, key);
    const near = nearest(given, ["converged"]);
    reading.tell(
      node,
      key,
      near === undefined
        ? `it must be ${timesOrConverged.says}, not ${quoted(given)}`
        : `it must be "converged", not ${quoted(given)}`,
    );
    return undefined;
  },
};
