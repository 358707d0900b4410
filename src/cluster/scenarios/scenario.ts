import { ATTACK_ROLES, type AttackRole } from "../../api/index.ts";
import { TOPOLOGY_NAMES, type TopologyName } from "../topology.ts";
import type { JsonSchema, Kind } from "./kinds.ts";
import * as kinds from "./kinds.ts";
import { oneOf } from "./kinds.ts";
import type { Step } from "./language.ts";
import { connection, nodes } from "./names.ts";

/** A scenario that was checked whole: every name in it stands for something, every value is within its bounds. */
export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** Names of the nodes, first is node 1; empty texts where they have none. */
  readonly nodes: readonly string[];
  readonly topology: TopologyName | readonly (readonly [number, number])[];
  readonly groups: Readonly<Record<string, readonly number[]>>;
  /** Nodes that do not run before their `join`. */
  readonly late: readonly number[];
  /** Roles of attackers by node. */
  readonly attackers: Readonly<Record<number, AttackRole>>;
  readonly genesis: Genesis;
  /** Base units at genesis by account. */
  readonly accounts: Readonly<Record<string, number>>;
  /** Who mines from the start, with the share of the network's hash rate. */
  readonly miners: readonly Miner[];
  /** Transfers a second from the start; 0: none. */
  readonly loadTps: number;
  /** The run, from the first step on, takes no longer. */
  readonly limitMs: number;
  readonly steps: readonly Step[];
}

export interface Miner {
  readonly n: number;
  /** 0 to 1. */
  readonly share: number;
}

export interface Genesis {
  readonly difficultyBits: number;
  readonly adjusting: boolean;
  readonly intervalMs: number;
  readonly smoothing: number;
  /** Base units. */
  readonly reward: number;
}

/** A key at the top of the file, or in `genesis`. */
export interface Key {
  readonly about: string;
  readonly schema: JsonSchema;
  readonly isNeeded?: boolean;
}

const smoothing: Kind<number> = kinds.scalar(
  "a number of blocks such as 20 blocks",
  { type: "string", pattern: "^\\d{1,6} blocks?$" },
  (text) => {
    const [, count] = /^(\d{1,6}) blocks?$/.exec(text) ?? [];
    return count === undefined || Number(count) < 1 || Number(count) > 100_000 ? undefined : Number(count);
  },
);

export const GENESIS_KINDS = {
  difficulty: kinds.bits,
  adjusting: kinds.flag,
  interval: kinds.time,
  smoothing,
  reward: kinds.coins,
} as const;

export const attackRole = oneOf(...ATTACK_ROLES);
export const topologyName = oneOf(...TOPOLOGY_NAMES);
export const connections = kinds.listOf(connection, { most: 496 });
export const MAX_STEPS = 500;

const mapOf = (values: JsonSchema): JsonSchema => ({
  type: "object",
  minProperties: 1,
  propertyNames: { pattern: "^([1-9][0-9]*|[a-z][a-z0-9-]{0,29})$" },
  additionalProperties: values,
});
const nameSchema = { type: "string", pattern: "^[a-z][a-z0-9-]{0,29}$" };

/** The keys of a scenario but for its steps, in the order in which they are read. */
export const KEYS = {
  name: { about: "what it is called", schema: kinds.text.schema, isNeeded: true },
  about: { about: "what it shows, and what to watch", schema: kinds.text.schema },
  engine: { about: "what decides on blocks: pow (vote comes later); default pow", schema: { enum: ["pow"] } },
  nodes: {
    about: "how many, or a list of their names; 1 to 32",
    schema: {
      anyOf: [
        { type: "integer", minimum: 1, maximum: 32 },
        { type: "array", minItems: 1, maxItems: 32, items: nameSchema },
      ],
    },
    isNeeded: true,
  },
  topology: {
    about: `who is connected with whom: ${TOPOLOGY_NAMES.join(", ")}, or a list of links such as 1-2; default full`,
    schema: { anyOf: [topologyName.schema, connections.schema] },
  },
  groups: { about: "names for several nodes at once", schema: mapOf(nodes.schema) },
  late: { about: "nodes that do not run before a join", schema: nodes.schema },
  attackers: {
    about: `nodes with a role: ${ATTACK_ROLES.join(", ")}`,
    schema: mapOf(attackRole.schema),
  },
  genesis: {
    about: "the network's rules",
    schema: {
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries(GENESIS_KINDS).map(([name, kind]) => [name, kind.schema]),
      ),
    },
  },
  accounts: { about: "who has how many coins at genesis", schema: mapOf(kinds.coins.schema) },
  miners: {
    about: "who mines all the time: nodes, each with the same share of the hash rate, or shares by node",
    schema: { anyOf: [nodes.schema, mapOf(kinds.percent.schema)] },
  },
  load: { about: "transfers all the time, such as 20/s", schema: kinds.rate.schema },
  limit: { about: "the steps take no longer in all; default 10m", schema: kinds.time.schema },
} as const satisfies Readonly<Record<string, Key>>;

export const STEPS_ABOUT = "what happens, one after the other";
