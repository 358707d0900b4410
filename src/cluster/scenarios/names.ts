import { isSeq } from "yaml";
import { type Kind, listOf, scalar, textOf } from "./kinds.ts";
import { quoted, unknownWord } from "./problems.ts";
import type { NameSort, Reading } from "./reading.ts";

/** What a node, group, account, transaction or block may be called. */
export const NAME = /^[a-z][a-z0-9-]{0,29}$/;
const NAME_SAYS = "a name: a-z, 0-9 and -, beginning with a letter, at most 30 characters";
const nameSchema = { type: "string", pattern: NAME.source, description: NAME_SAYS };
/** Words that stand for nodes without being a name. */
const ALL = "all";
const REST = "rest";
export const RESERVED = [ALL, REST, "on", "off", "converged"];

export const newName: Kind<string> = scalar(NAME_SAYS, nameSchema, (text) => {
  if (RESERVED.includes(text))
    return new Error(`${quoted(text)} means something else here; choose another name`);
  return NAME.test(text) ? text : undefined;
});

const numbersOf = ({ nodes }: Reading): number[] => nodes.map((_, i) => i + 1);

function findNode(text: string, reading: Reading): number | undefined {
  if (/^\d{1,3}$/.test(text)) return numbersOf(reading).find((n) => n === Number(text));
  const at = text === "" ? -1 : reading.nodes.indexOf(text);
  return at < 0 ? undefined : at + 1;
}

function noNode(text: string, reading: Reading, more: readonly string[] = []): Error {
  const named = reading.nodes.filter((name) => name !== "");
  if (/^\d+$/.test(text)) {
    const count = reading.nodes.length;
    return new Error(`there is no node ${text}; the nodes are ${count === 1 ? "1" : `1 to ${count}`}`);
  }
  return new Error(unknownWord(more.length > 0 ? "node or group" : "node", text, [...named, ...more]));
}

const nodeSchema = { anyOf: [{ type: "integer", minimum: 1 }, nameSchema] };

/** To a node's number. */
export const node: Kind<number> = scalar("a node: its number or name", nodeSchema, (text, reading) => {
  const found = findNode(text, reading);
  if (found !== undefined) return found;
  if (reading.groups.has(text)) return new Error(`${text} is a group; name one node`);
  return noNode(text, reading);
});

const oneOrGroup: Kind<readonly number[]> = scalar("a node, a group, or all", nodeSchema, (text, reading) => {
  if (text === ALL) return numbersOf(reading);
  const group = reading.groups.get(text);
  if (group !== undefined) return group;
  const found = findNode(text, reading);
  return found === undefined ? noNode(text, reading, [...reading.groups.keys(), ALL]) : [found];
});
const severalNodes = listOf(oneOrGroup, { orOne: true });

/** A node, a group, `all`, or a list of them: to numbers, each once. */
export const nodes: Kind<readonly number[]> = {
  says: "a node, a group, all, or a list of them",
  schema: severalNodes.schema,
  read(at, reading, key) {
    const found = severalNodes.read(at, reading, key);
    return found === undefined ? undefined : [...new Set(found.flat())].sort((a, b) => a - b);
  },
};

/** The sides of a split. */
export interface Sides {
  readonly groups: readonly (readonly number[])[];
  /** As they are called; undefined unless each has a name. */
  readonly names: readonly string[] | undefined;
}

const sideKind = listOf<readonly number[]>(oneOrGroup, { orOne: true });

/** Two sides or more that name every node once; `rest` is all that are in no other. */
export const sides: Kind<Sides> = {
  says: "a list of sides, each a group, a node or a list of nodes, and perhaps rest, such as [north, south] or [[1, 2], rest]",
  schema: {
    type: "array",
    minItems: 2,
    items: { anyOf: [nodeSchema, { type: "array", minItems: 1, items: nodeSchema }] },
  },
  read(at, reading, key) {
    if (!isSeq(at) || at.items.length < 2) {
      reading.tell(at, key, `it must be ${sides.says}`);
      return undefined;
    }
    const read = at.items.map((item, i) =>
      textOf(item) === REST ? [] : sideKind.read(item, reading, `${key}[${i}]`)?.flat(),
    );
    if (read.some((side) => side === undefined)) return undefined;
    const found = read as number[][];
    const isRest = at.items.map((item) => textOf(item) === REST);
    if (isRest.filter(Boolean).length > 1) {
      reading.tell(at, key, "only one side can be the rest");
      return undefined;
    }
    const rest = numbersOf(reading).filter((n) => !found.flat().includes(n));
    const groups = found.map((side, i) => (isRest[i] ? rest : side));
    const all = groups.flat();
    const twice = all.find((n, i) => all.indexOf(n) !== i);
    const missing = numbersOf(reading).find((n) => !all.includes(n));
    if (groups.some((side) => side.length === 0)) reading.tell(at, key, "nothing is left for the rest");
    else if (twice !== undefined) reading.tell(at, key, `node ${twice} is on two sides`);
    else if (missing !== undefined)
      reading.tell(at, key, `node ${missing} is on no side; name it, or add rest as a side`);
    else {
      const names = at.items.map((item) => textOf(item) ?? "");
      // All or none have a name in what the cluster tells; a node's number is none.
      return { groups, names: names.every((name) => NAME.test(name)) ? names : undefined };
    }
    return undefined;
  },
};

/** One-way lines between nodes. */
export type Lines = readonly (readonly [from: number, to: number])[];

const END = "[a-z0-9][a-z0-9-]*";
const directionSays = "a direction such as 1 -> 2, or north <-> south for both ways";

export const direction: Kind<Lines> = {
  says: directionSays,
  schema: { type: "string", pattern: `^${END} *<?-> *${END}$`, description: directionSays },
  read(at, reading, key) {
    const [, from, arrow, to] = new RegExp(`^(${END}?) *(<?->) *(${END})$`).exec(textOf(at) ?? "") ?? [];
    if (from === undefined || to === undefined) {
      reading.tell(at, key, `it must be ${directionSays}`);
      return undefined;
    }
    const [some, others] = [from, to].map((end) =>
      oneOrGroup.read(reading.scalarLike(at, end), reading, key),
    );
    if (some === undefined || others === undefined) return undefined;
    const lines = some.flatMap((a) => others.filter((b) => b !== a).map((b) => [a, b] as const));
    if (lines.length === 0) {
      reading.tell(at, key, "a node has no link to itself");
      return undefined;
    }
    const isThere = (a: number, b: number) => lines.some(([from, to]) => from === a && to === b);
    const back = lines.filter(([a, b]) => !isThere(b, a)).map(([a, b]) => [b, a] as const);
    return arrow === "<->" ? [...lines, ...back] : lines;
  },
};

/** Links of a topology, such as 1-2 or ann-ben. */
export const connection: Kind<readonly [number, number]> = scalar(
  "two nodes with a - between, such as 1-2",
  { type: "string", pattern: "^[a-z0-9][a-z0-9-]*-[a-z0-9][a-z0-9-]*$" },
  (text, reading) => {
    for (let at = text.indexOf("-"); at > 0; at = text.indexOf("-", at + 1)) {
      const [a, b] = [
        findNode(text.slice(0, at).trim(), reading),
        findNode(text.slice(at + 1).trim(), reading),
      ];
      if (a !== undefined && b !== undefined && a !== b) return [a, b];
    }
    return undefined;
  },
);

export const account: Kind<string> = scalar("an account's name", nameSchema, (text, { accounts }) =>
  accounts.has(text) ? text : new Error(unknownWord("account", text, [...accounts.keys()])),
);

/** A name that this step gives to what it makes. */
export function naming(sort: NameSort): Kind<string> {
  return {
    ...newName,
    read(at, reading, key) {
      const name = newName.read(at, reading, key);
      return name !== undefined && reading.give(sort, name, at, key) ? name : undefined;
    },
  };
}

/** A name that an earlier step has given. */
export function named(sort: NameSort): Kind<string> {
  return {
    says: `the name of a ${sort}`,
    schema: nameSchema,
    read(at, reading, key) {
      const name = newName.read(at, reading, key);
      return name !== undefined && reading.has(sort, name, at, key) ? name : undefined;
    },
  };
}
