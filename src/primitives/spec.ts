import { ByteListType, ContainerType, ListCompositeType } from "@chainsafe/ssz";
import Type from "typebox";
import { Errors } from "typebox/value";
import { ADDRESS_FORM, decodeAddress, encodeAddress } from "./address.ts";
import { MAX_AMOUNT } from "./amount.ts";
import { bytesToHex, compareBytes, hexToBytes } from "./bytes.ts";
import { Bytes16, Bytes32, MAX_BLOCK_BYTES, Uint8, Uint32, Uint64, Uint256 } from "./ssz.ts";

export const ENGINES = ["pow", "vote"] as const;
export const DIFFICULTY_MODES = ["fixed", "adjusting"] as const;
export type Engine = (typeof ENGINES)[number];
export type DifficultyMode = (typeof DIFFICULTY_MODES)[number];

/** The rules of one network. Consensus: every node of a network has the same; anything per node is an *option*. */
export interface ChainSpec {
  readonly name: string;
  readonly engine: Engine;
  /** Genesis difficulty is 2^difficultyBits expected hashes; also the least difficulty ever. */
  readonly difficultyBits: number;
  readonly difficultyMode: DifficultyMode;
  /** Time between blocks aimed at, ms. */
  readonly intervalMs: number;
  /** N of WTEMA: how many blocks an adjustment is spread over. */
  readonly smoothing: number;
  /** How far a timestamp may lie ahead of the local clock, ms. */
  readonly driftMs: number;
  /** Cumulative work below which a header chain is not worth storing. */
  readonly minimumWork: bigint;
  /** Base units per block before halving. */
  readonly reward: number;
  /** Blocks between halvings; 0 = never. */
  readonly halvingInterval: number;
  /** Serialized body, at most. */
  readonly maxBlockBytes: number;
  /** Base units per byte of a serialized transaction, at least. */
  readonly minFeePerByte: number;
  /** Base units of the fee that are burned when a transfer creates its recipient's account. */
  readonly accountCreationFee: number;
  /** Sorted by key, each key once. */
  readonly allocations: readonly { readonly key: Uint8Array; readonly amount: number }[];
  /** Sorted by key; only for `vote`. */
  readonly validators: readonly { readonly key: Uint8Array; readonly power: number }[];
  /** Rules versions after version 1 with the height each starts at, ascending in both. */
  readonly activations: readonly { readonly rulesVersion: number; readonly height: number }[];
  readonly genesisTimestampMs: number;
  /** 16 random bytes, so that two networks with the same settings differ. */
  readonly salt: Uint8Array;
}

const AllocationSsz = new ContainerType({ key: Bytes32, amount: Uint64 });
const ValidatorSsz = new ContainerType({ key: Bytes32, power: Uint64 });
const ActivationSsz = new ContainerType({ rulesVersion: Uint32, height: Uint64 });
/** More than a genesis.json with every list full takes, indented. */
export const MAX_GENESIS_BYTES: number = 16 * 1024 * 1024;
const MAX_ALLOCATIONS = 65_536;
const MAX_VALIDATORS = 1_024;
const MAX_ACTIVATIONS = 64;

/** The form whose root is the parent of the genesis block. `formatVersion` names this very list of fields. */
const ChainSpecSsz = new ContainerType(
  {
    formatVersion: Uint32,
    name: new ByteListType(32),
    engine: Uint8,
    difficultyBits: Uint8,
    difficultyMode: Uint8,
    intervalMs: Uint64,
    smoothing: Uint64,
    driftMs: Uint64,
    minimumWork: Uint256,
    reward: Uint64,
    halvingInterval: Uint64,
    maxBlockBytes: Uint64,
    minFeePerByte: Uint64,
    accountCreationFee: Uint64,
    allocations: new ListCompositeType(AllocationSsz, MAX_ALLOCATIONS),
    validators: new ListCompositeType(ValidatorSsz, MAX_VALIDATORS),
    activations: new ListCompositeType(ActivationSsz, MAX_ACTIVATIONS),
    genesisTimestampMs: Uint64,
    salt: Bytes16,
  },
  { typeName: "ChainSpec" },
);
const FORMAT_VERSION = 1;

/** The identity of a spec: what it says, not how its JSON is typed. */
export function specRoot(spec: ChainSpec): Uint8Array {
  return ChainSpecSsz.hashTreeRoot({
    ...spec,
    formatVersion: FORMAT_VERSION,
    name: new TextEncoder().encode(spec.name),
    engine: ENGINES.indexOf(spec.engine),
    difficultyMode: DIFFICULTY_MODES.indexOf(spec.difficultyMode),
    allocations: [...spec.allocations],
    validators: [...spec.validators],
    activations: [...spec.activations],
  });
}

/** 2^difficultyBits: the difficulty of block 1 and the least of any. Always 1 under `vote`. */
export function genesisDifficulty(spec: ChainSpec): bigint {
  return spec.engine === "vote" ? 1n : 2n ** BigInt(spec.difficultyBits);
}

/** The newest rules version this program can judge blocks by. */
export const SUPPORTED_RULES_VERSION = 1;

/** The rules version that a block at `height` must declare. */
export function rulesVersionAt(spec: ChainSpec, height: number): number {
  let version = 1;
  for (const activation of spec.activations)
    if (height >= activation.height) version = activation.rulesVersion;
  return version;
}

/** floor(reward / 2^floor((height - 1) / halvingInterval)) for height >= 1. */
export function rewardAt(spec: ChainSpec, height: number): number {
  if (spec.halvingInterval === 0) return spec.reward;
  const halvings = Math.floor((height - 1) / spec.halvingInterval);
  return halvings > 53 ? 0 : Math.floor(spec.reward / 2 ** halvings);
}

/** Everything the spec could ever issue; Infinity where the reward never ends. */
export function maximumSupply(spec: ChainSpec): number {
  let total = spec.allocations.reduce((sum, { amount }) => sum + amount, 0);
  if (spec.reward === 0) return total;
  if (spec.halvingInterval === 0) return Number.POSITIVE_INFINITY;
  for (let reward = spec.reward; reward > 0; reward = Math.floor(reward / 2))
    total += reward * spec.halvingInterval;
  return total;
}

const Integer = (minimum: number, maximum: number, defaultValue: number, description: string) =>
  Type.Optional(Type.Integer({ minimum, maximum, default: defaultValue, description }));
const Address = Type.String({
  pattern: "^cum1[0-9a-z]{10,100}$",
  description: `an address: ${ADDRESS_FORM}`,
});

/** genesis.json. Unknown keys are refused; everything but `name` has a default. */
export const GenesisJson = Type.Object(
  {
    name: Type.String({
      pattern: "^[a-z0-9][a-z0-9-]{0,31}$",
      title: "what people call the network",
      description: "a-z, 0-9 and -, 1 to 32 characters",
    }),
    engine: Type.Optional(
      Type.Enum([...ENGINES], {
        default: "pow",
        description: "what decides on blocks: work, or validators' votes",
      }),
    ),
    difficultyBits: Integer(0, 64, 10, "genesis difficulty is 2^bits expected hashes"),
    difficultyMode: Type.Optional(
      Type.Enum([...DIFFICULTY_MODES], {
        default: "fixed",
        description: "the same difficulty for ever, or one that follows the interval",
      }),
    ),
    intervalMs: Integer(10, 86_400_000, 2_000, "time between blocks aimed at, ms"),
    smoothing: Integer(1, 100_000, 72, "blocks that a difficulty adjustment is spread over"),
    driftMs: Integer(0, 86_400_000, 15_000, "how far ahead of the local clock a timestamp may lie, ms"),
    minimumWork: Type.Optional(
      Type.String({
        pattern: "^(0|[1-9a-f][0-9a-f]{0,63})$",
        default: "0",
        title: "cumulative work below which no chain is followed",
        description: "hex without padding, at most 64 digits",
      }),
    ),
    reward: Integer(0, MAX_AMOUNT, 5_000_000_000, "base units per block"),
    halvingInterval: Integer(
      0,
      MAX_AMOUNT,
      210_000,
      "blocks between halvings; 0 = never, only without a reward",
    ),
    maxBlockBytes: Integer(1_024, MAX_BLOCK_BYTES, 1_048_576, "serialized block body, at most"),
    minFeePerByte: Integer(0, 1_000_000, 1, "least fee of a transaction for each of its bytes, base units"),
    accountCreationFee: Integer(
      0,
      MAX_AMOUNT,
      10_000,
      "burned of the fee of a transfer that creates its recipient's account, base units",
    ),
    allocations: Type.Optional(
      Type.Array(
        Type.Object(
          { address: Address, amount: Type.Integer({ minimum: 1, maximum: MAX_AMOUNT }) },
          { additionalProperties: false },
        ),
        { maxItems: MAX_ALLOCATIONS, description: "who has how many base units at genesis" },
      ),
    ),
    validators: Type.Optional(
      Type.Array(
        Type.Object(
          { address: Address, power: Type.Integer({ minimum: 1, maximum: 2 ** 32 }) },
          { additionalProperties: false },
        ),
        { maxItems: MAX_VALIDATORS, description: "who votes with which power; for engine vote" },
      ),
    ),
    activations: Type.Optional(
      Type.Array(
        Type.Object(
          {
            rulesVersion: Type.Integer({ minimum: 2, maximum: 2 ** 32 - 1 }),
            height: Type.Integer({ minimum: 1, maximum: MAX_AMOUNT }),
          },
          { additionalProperties: false },
        ),
        { maxItems: MAX_ACTIVATIONS, description: "rules versions after the first, and where each begins" },
      ),
    ),
    genesisTimestampMs: Integer(0, MAX_AMOUNT, 1_767_225_600_000, "timestamp of the genesis block, Unix ms"),
    salt: Type.Optional(
      Type.String({
        pattern: "^[0-9a-f]{32}$",
        default: "0".repeat(32),
        title: "tells networks apart that agree in all the rest",
        description: "16 bytes in hex: 32 digits of 0-9 and a-f",
      }),
    ),
  },
  { additionalProperties: false },
);
export type GenesisJson = Type.Static<typeof GenesisJson>;

export type ParsedSpec =
  | { readonly ok: true; readonly spec: ChainSpec }
  | { readonly ok: false; readonly problem: string };

/** Checks the text of a genesis.json and fills in defaults. A problem is one line that names the key and what is allowed. */
export function parseGenesis(text: string): ParsedSpec {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  return specFromJson(json);
}

export function specFromJson(json: unknown): ParsedSpec {
  const problem = schemaProblem(json);
  if (problem !== undefined) return { ok: false, problem };
  const given = json as GenesisJson;
  const allocations = keyed(given.allocations ?? [], "allocations", ({ amount }) => ({ amount }));
  if (!allocations.ok) return allocations;
  const validators = keyed(given.validators ?? [], "validators", ({ power }) => ({ power }));
  if (!validators.ok) return validators;
  const spec: ChainSpec = {
    name: given.name,
    engine: (given.engine ?? "pow") as Engine,
    difficultyBits: withDefault(given, "difficultyBits"),
    difficultyMode: (given.difficultyMode ?? "fixed") as DifficultyMode,
    intervalMs: withDefault(given, "intervalMs"),
    smoothing: withDefault(given, "smoothing"),
    driftMs: withDefault(given, "driftMs"),
    minimumWork: BigInt(`0x${given.minimumWork ?? "0"}`),
    reward: withDefault(given, "reward"),
    halvingInterval: withDefault(given, "halvingInterval"),
    maxBlockBytes: withDefault(given, "maxBlockBytes"),
    minFeePerByte: withDefault(given, "minFeePerByte"),
    accountCreationFee: withDefault(given, "accountCreationFee"),
    allocations: allocations.items,
    validators: validators.items,
    activations: given.activations ?? [],
    genesisTimestampMs: withDefault(given, "genesisTimestampMs"),
    salt: hexToBytes(given.salt ?? "0".repeat(32)),
  };
  const contradiction = specContradiction(spec);
  return contradiction === undefined ? { ok: true, spec } : { ok: false, problem: contradiction };
}

/** The JSON form with every default written out; `specFromJson` of it gives the same spec. */
export function specToJson(spec: ChainSpec): Required<GenesisJson> {
  return {
    ...spec,
    minimumWork: spec.minimumWork.toString(16),
    allocations: spec.allocations.map(({ key, amount }) => ({ address: encodeAddress(key), amount })),
    validators: spec.validators.map(({ key, power }) => ({ address: encodeAddress(key), power })),
    activations: spec.activations.map((activation) => ({ ...activation })),
    salt: bytesToHex(spec.salt),
  };
}

/** The network that nodes join when no genesis file is given, so that machines can meet without passing one around. */
export function devnetSpec(): ChainSpec {
  const parsed = specFromJson({ name: "devnet" });
  if (!parsed.ok) throw new Error(`the built-in spec is wrong: ${parsed.problem}`);
  return parsed.spec;
}

type NumericKey = {
  [Key in keyof GenesisJson]-?: NonNullable<GenesisJson[Key]> extends number ? Key : never;
}[keyof GenesisJson];

function withDefault(given: GenesisJson, key: NumericKey): number {
  return given[key] ?? (GenesisJson.properties[key] as unknown as { default: number }).default;
}

function schemaProblem(json: unknown): string | undefined {
  const errors = Errors(GenesisJson, json);
  const unknownKeys = errors.find((error) => error.keyword === "additionalProperties");
  if (unknownKeys !== undefined) {
    const { additionalProperties } = unknownKeys.params as { additionalProperties: string[] };
    const where = unknownKeys.instancePath === "" ? "" : ` in ${unknownKeys.instancePath.slice(1)}`;
    const { properties } = schemaAt(unknownKeys.schemaPath) as { properties: object };
    return `unknown key ${additionalProperties.join(", ")}${where}; allowed: ${Object.keys(properties).join(", ")}`;
  }
  const [error] = errors.filter(({ keyword }) => keyword !== "boolean");
  if (error === undefined) return errors.length === 0 ? undefined : "not a genesis document";
  const { requiredProperties } = error.params as { requiredProperties?: string[] };
  const path = error.instancePath === "" ? [] : error.instancePath.slice(1).split("/");
  if (requiredProperties !== undefined) return `${[...path, requiredProperties[0]].join(".")} is missing`;
  const value = path.reduce<unknown>(stepInto, json);
  return `${path.join(".") || "genesis"} ${ruleOf(error)}, not ${describe(value)}`;
}

const stepInto = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;

/** The part of the schema that an error's path names. */
const schemaAt = (schemaPath: string): unknown =>
  schemaPath.split("/").slice(1).reduce<unknown>(stepInto, GenesisJson);

/** What a schema asks for, in words: those it has where the validator would show a regular expression or half a range. */
function ruleOf({ keyword, schemaPath, params, message }: ReturnType<typeof Errors>[number]): string {
  const { allowedValues, type } = params as { allowedValues?: string[]; type?: string };
  if (allowedValues !== undefined) return `must be one of ${allowedValues.join(", ")}`;
  const { description, minimum, maximum } = schemaAt(schemaPath) as Record<string, unknown>;
  if (keyword === "pattern") return `must be ${String(description)}`;
  if (maximum !== undefined) return `must be an integer from ${minimum} to ${maximum}`;
  if (type !== undefined) return `must be ${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
  return message;
}

/** A value where people look for their mistake: short ones as they are, others by their kind. */
function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return JSON.stringify(value).slice(0, 80);
}

function keyed<Item extends { address: string }, Rest>(
  items: readonly Item[],
  name: string,
  rest: (item: Item) => Rest,
): { ok: true; items: (Rest & { key: Uint8Array })[] } | { ok: false; problem: string } {
  const result: (Rest & { key: Uint8Array })[] = [];
  for (const item of items) {
    const key = decodeAddress(item.address);
    if (key === undefined)
      return {
        ok: false,
        problem: `${name}: ${item.address} is not a valid address (${ADDRESS_FORM}); its length or checksum is wrong`,
      };
    result.push({ ...rest(item), key });
  }
  result.sort((a, b) => compareBytes(a.key, b.key));
  for (let i = 1; i < result.length; i++) {
    const [previous, current] = [result[i - 1], result[i]];
    if (previous !== undefined && current !== undefined && compareBytes(previous.key, current.key) === 0) {
      return { ok: false, problem: `${name}: ${encodeAddress(current.key)} is listed twice` };
    }
  }
  return { ok: true, items: result };
}

function specContradiction(spec: ChainSpec): string | undefined {
  if (!(maximumSupply(spec) <= MAX_AMOUNT)) {
    return "reward, halvingInterval and allocations could issue 2^53 base units or more; lower one of them";
  }
  if (spec.minimumWork >= 2n ** 256n) return "minimumWork must be below 2^256";
  if (spec.engine === "pow" && spec.validators.length > 0) return "validators need engine vote";
  if (spec.engine === "vote" && spec.validators.length === 0)
    return "engine vote needs at least one validator";
  for (let i = 1; i < spec.activations.length; i++) {
    const [before, after] = [spec.activations[i - 1], spec.activations[i]];
    if (before !== undefined && after !== undefined) {
      if (after.height <= before.height || after.rulesVersion <= before.rulesVersion) {
        return "activations must ascend in height and rulesVersion";
      }
    }
  }
  return undefined;
}

/** Bound on difficulty: it is a uint128 in the header. */
export const MAX_DIFFICULTY: bigint = 2n ** 128n - 1n;
