import type { Shape } from "../api/index.ts";
import { ClusterError } from "./errors.ts";
import { formatGroup } from "./groups.ts";

/** One direction between two nodes. */
export interface LinkEnds {
  readonly from: number;
  readonly to: number;
}

const invalid = (why: string): ClusterError => new ClusterError("CLUSTER_LINK_INVALID", why);
const quoted = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 37)}...` : text);

const SIDE = String.raw`\d{1,3}(?:-\d{1,3})?(?:,\d{1,3}(?:-\d{1,3})?)*`;
const ENDS = new RegExp(`^(${SIDE})(->|<->|:)(${SIDE})$`);
const ENDS_ADVICE = `write '1->2' or '1<->2' in quotes, or 1:2 without, with ranges such as 1,2:3-5, or "all"`;

function parseSide(text: string, nodes: readonly number[]): number[] {
  return text.split(",").flatMap((part) => {
    const [first = 0, last = first] = part.split("-").map(Number);
    if (last < first) throw invalid(`the range ${part} does not go upwards`);
    const side = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const unknown = side.find((n) => !nodes.includes(n));
    if (unknown === undefined) return side;
    const message = `there is no node ${unknown}; the nodes of this cluster are ${formatGroup(nodes)}`;
    throw new ClusterError("CLUSTER_NODE_UNKNOWN", message, { details: { nodes: nodes.length } });
  });
}

/**
 * "1->2", "1<->2", "1:2" (as 1->2, for shells), each side a list as in a split, or "all". Fails with `CLUSTER_LINK_INVALID`
 * or `CLUSTER_NODE_UNKNOWN`.
 */
export function parseLinkEnds(text: string, nodes: readonly number[], both = false): LinkEnds[] {
  const match = text === "all" ? undefined : ENDS.exec(text);
  if (match === null) throw invalid(`${quoted(text)} names no link; ${ENDS_ADVICE}`);
  const [, left, arrow, right] = match ?? [];
  const froms = left === undefined ? nodes : parseSide(left, nodes);
  const tos = right === undefined ? nodes : parseSide(right, nodes);
  const pairs = froms
    .flatMap((from) => tos.map((to) => ({ from, to })))
    .filter(({ from, to }) => from !== to);
  if (pairs.length === 0) throw invalid(`a node has no link to itself, and ${text} names nothing else`);
  const back = both || arrow === "<->" ? pairs.map(({ from, to }) => ({ from: to, to: from })) : [];
  return [...new Map([...pairs, ...back].map((ends) => [`${ends.from}:${ends.to}`, ends])).values()];
}

/** A number and its unit, in the unit's base. */
function measure(
  word: string,
  value: string,
  units: Readonly<Record<string, number>>,
  example: string,
): number {
  const [, number = "", unit = ""] = /^(\d{1,9}(?:\.\d{1,6})?)(.*)$/.exec(value) ?? [];
  const factor = units[unit];
  if (number === "") throw invalid(`${quoted(word)} has no number; write it such as ${example}`);
  if (factor !== undefined) return Number(number) * factor;
  const known = Object.keys(units).filter((name) => name !== "");
  const what = unit === "" ? "has no unit" : `: ${quoted(unit)} is no unit of it`;
  throw invalid(
    `${quoted(word)}${unit === "" ? " " : ""}${what}; use ${known.join(", ")}, such as ${example}`,
  );
}

const TIME = { ms: 1, s: 1_000 };
const SHARE = { "%": 0.01 };
const RATE = {
  bit: 1 / 8,
  kbit: 125,
  mbit: 125_000,
  gbit: 125_000_000,
  "B/s": 1,
  "kB/s": 1_000,
  "MB/s": 1_000_000,
};
/** More is not a delay but a dead line. */
const MAX_MS = 60_000;

const readMs = (word: string, value: string, example: string): number => {
  const ms = measure(word, value, TIME, example);
  if (ms > MAX_MS) throw invalid(`${quoted(word)} is too long; at most ${MAX_MS / 1_000}s`);
  return ms;
};
const WORDS: Readonly<Record<string, (word: string, value: string) => Shape>> = {
  delay: (word, value) => ({ delayMs: readMs(word, value, "delay=80ms") }),
  jitter: (word, value) => ({ jitterMs: readMs(word, value, "jitter=20ms") }),
  loss(word, value) {
    const lossRatio = measure(word, value, SHARE, "loss=5%");
    if (lossRatio > 1) throw invalid(`${quoted(word)} is more than all; at most 100%`);
    return { lossRatio };
  },
  rate(word, value) {
    const bytesPerSecond = measure(word, value, RATE, "rate=1mbit or rate=100kB/s");
    if (bytesPerSecond < 1) throw invalid(`${quoted(word)} is less than a byte a second; use blackhole`);
    return { bytesPerSecond };
  },
};
const SHAPE_ADVICE = "say delay=80ms, jitter=20ms, loss=5%, rate=1mbit, blackhole, or whole";

/** ["delay=80ms", "loss=5%"]; ["whole"] is the shape that does nothing. Fails with `CLUSTER_LINK_INVALID`. */
export function parseShape(words: readonly string[]): Shape {
  if (words.length === 0) throw invalid(`nothing is said of the link; ${SHAPE_ADVICE}`);
  if (words.includes("whole")) {
    if (words.length > 1) throw invalid("a whole link is nothing else besides; say whole alone");
    return {};
  }
  const shapes = words.map((word): Shape => {
    if (word === "blackhole") return { blackhole: true };
    const [key = "", value] = word.split(/=(.*)/s);
    const read = WORDS[key];
    if (read === undefined || value === undefined)
      throw invalid(`${quoted(word)} is nothing a link can be; ${SHAPE_ADVICE}`);
    return read(word, value);
  });
  const keys = shapes.flatMap((shape) => Object.keys(shape));
  if (new Set(keys).size < keys.length) throw invalid("one thing is said twice of the link");
  return Object.assign({}, ...shapes);
}

const rateText = (bytes: number): string => {
  const [factor, unit] = bytes >= 125_000 ? [125_000, "mbit"] : bytes >= 125 ? [125, "kbit"] : [1, "B/s"];
  return `${Number((bytes / factor).toFixed(3))}${unit}`;
};

/** As `link` takes it: "delay=80ms loss=5%". */
export function formatShape({ delayMs, jitterMs, lossRatio, bytesPerSecond, blackhole }: Shape): string {
  const words = [
    delayMs && `delay=${delayMs}ms`,
    jitterMs && `jitter=${jitterMs}ms`,
    lossRatio && `loss=${Number((lossRatio * 100).toFixed(4))}%`,
    bytesPerSecond && `rate=${rateText(bytesPerSecond)}`,
    blackhole && "blackhole",
  ].filter(Boolean);
  return words.length === 0 ? "whole" : words.join(" ");
}
