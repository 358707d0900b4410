import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import type { JsonOption } from "../connection.ts";
import { failure, usageError } from "../failure.ts";
import { printJson, printLine } from "../output.ts";
import { collect, duration, integer, oneOf } from "../values.ts";

interface Options extends JsonOption {
  readonly name: string;
  readonly engine: string;
  readonly difficulty: number;
  readonly adjust?: boolean;
  readonly interval: number;
  readonly reward: string;
  readonly halving?: number;
  readonly alloc?: readonly string[];
  readonly validator?: readonly string[];
  readonly output: string;
  readonly force?: boolean;
}

type Primitives = typeof import("../../primitives/index.ts");

function coins(primitives: Primitives, option: string, text: string): number {
  const units = primitives.parseCoins(text);
  if (units !== undefined) return units;
  throw usageError(
    `${option} must be an amount in coins such as 50 or 0.25 (at most 8 decimals), not "${text}"`,
  );
}

/** ADDR=VALUE; the address is checked with its checksum. */
function pair(
  primitives: Primitives,
  option: string,
  text: string,
): readonly [address: string, value: string] {
  const at = text.indexOf("=");
  const address = at === -1 ? text : text.slice(0, at);
  if (primitives.decodeAddress(address) === undefined) {
    throw usageError(`${option} must begin with a valid address (cum1...), not "${address}"`);
  }
  return [address, at === -1 ? "" : text.slice(at + 1)];
}

function validators(primitives: Primitives, given: readonly string[]) {
  return given.map((text) => {
    const [address, power] = pair(primitives, "--validator", text);
    if (!/^\d{0,10}$/.test(power))
      throw usageError(`--validator must be ADDR or ADDR=POWER with a whole power, not "${text}"`);
    return { address, power: power === "" ? 1 : Number(power) };
  });
}

async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw failure(
        "FILE_EXISTS",
        `${file} exists already; choose another -o FILE, or replace it with --force`,
      );
    throw failure(
      "FILE_UNWRITABLE",
      `cannot write ${file}: ${code === "ENOENT" ? "its directory does not exist" : message}`,
    );
  }
}

async function create(options: Options): Promise<void> {
  const primitives = await import("../../primitives/index.ts");
  const parsed = primitives.specFromJson({
    name: options.name,
    engine: options.engine,
    difficultyBits: options.difficulty,
    difficultyMode: options.adjust ? "adjusting" : "fixed",
    intervalMs: options.interval,
    reward: coins(primitives, "--reward", options.reward),
    ...(options.halving === undefined ? {} : { halvingInterval: options.halving }),
    allocations: (options.alloc ?? []).map((text) => {
      const [address, amount] = pair(primitives, "--alloc", text);
      return { address, amount: coins(primitives, "--alloc", amount) };
    }),
    validators: validators(primitives, options.validator ?? []),
    genesisTimestampMs: Date.now(),
    // Two networks with the same settings must not be one.
    salt: randomBytes(16).toString("hex"),
  });
  if (!parsed.ok) throw usageError(parsed.problem);
  const json = primitives.specToJson(parsed.spec);
  await write(options.output, `${JSON.stringify(json, undefined, 2)}\n`, options.force === true);
  if (options.json) printJson({ file: options.output, genesis: json });
  else
    printLine(
      `wrote ${options.output}: network ${json.name}; give it to every node with --genesis ${options.output}`,
    );
}

export function addGenesis(program: Command): void {
  program
    .command("genesis")
    .description("the rules of a network")
    .command("new")
    .description("write a genesis file for a new network")
    .option("--name <name>", "a-z, 0-9 and -, 1 to 32 characters", "local")
    .option("--engine <engine>", "pow or vote", oneOf("pow", "vote"), "pow")
    .option("--difficulty <bits>", "a block takes 2^bits tries", integer(0, 64), 10)
    .option("--adjust", "adjust the difficulty to the interval (default: fixed)")
    .option("--interval <time>", "time between blocks aimed at", duration, 2_000)
    .option("--reward <coins>", "coins per block", "50")
    .option(
      "--halving <blocks>",
      "blocks between halvings of the reward",
      integer(1, Number.MAX_SAFE_INTEGER),
    )
    .option("--alloc <addr=coins>", "coins from the start; may be given several times", collect(String))
    .option("--validator <addr[=power]>", "for engine vote; may be given several times", collect(String))
    .requiredOption("-o, --output <file>", "where to write it")
    .option("--force", "replace the file if it exists")
    .addHelpText("after", "\nExample:\n  cumulo genesis new --difficulty 10 --reward 50 -o genesis.json")
    .action(create);
}
