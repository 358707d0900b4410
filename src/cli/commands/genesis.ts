import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import type { JsonOption } from "../connection.ts";
import { usageError } from "../failure.ts";
import { printJson, printLine, shellWord } from "../output.ts";
import { writeOutput } from "../output-file.ts";
import { collect, integer, oneOf, path, quoted, timeOption } from "../values.ts";

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

/** As genesis.json allows it. */
const MAX_POWER = 2 ** 32;

type Amounts = typeof import("../amounts.ts");

/** ADDR=VALUE, the address checked with its checksum; no value where there is no =. */
function pair({ addressKey }: Amounts, option: string, text: string) {
  const at = text.indexOf("=");
  const address = at === -1 ? text : text.slice(0, at);
  addressKey(option, address);
  return { address, value: at === -1 ? undefined : text.slice(at + 1) };
}

function allocations(amounts: Amounts, given: readonly string[]) {
  return given.map((text) => {
    const { address, value } = pair(amounts, "--alloc", text);
    if (value === undefined)
      throw usageError(`--alloc must be ADDRESS=COINS, such as ${address}=100, not ${quoted(text)}`);
    return { address, amount: amounts.coins("--alloc", value, 1) };
  });
}

function validators(amounts: Amounts, given: readonly string[]) {
  return given.map((text) => {
    const { address, value } = pair(amounts, "--validator", text);
    const power = value === undefined ? 1 : /^\d{1,10}$/.test(value) ? Number(value) : 0;
    if (power < 1 || power > MAX_POWER) {
      const allowed = `ADDRESS or ADDRESS=POWER with a power from 1 to ${MAX_POWER}`;
      throw usageError(`--validator must be ${allowed}, not ${quoted(text)}`);
    }
    return { address, power };
  });
}

async function create(options: Options): Promise<void> {
  const primitives = await import("../../primitives/index.ts");
  const amounts = await import("../amounts.ts");
  const parsed = primitives.specFromJson({
    name: options.name,
    engine: options.engine,
    difficultyBits: options.difficulty,
    difficultyMode: options.adjust ? "adjusting" : "fixed",
    intervalMs: options.interval,
    reward: amounts.coins("--reward", options.reward, 0),
    ...(options.halving === undefined ? {} : { halvingInterval: options.halving }),
    allocations: allocations(amounts, options.alloc ?? []),
    validators: validators(amounts, options.validator ?? []),
    genesisTimestampMs: Date.now(),
    // Two networks with the same settings must not be one.
    salt: randomBytes(16).toString("hex"),
  });
  if (!parsed.ok) throw usageError(parsed.problem);
  const json = primitives.specToJson(parsed.spec);
  await writeOutput(options.output, `${JSON.stringify(json, undefined, 2)}\n`, options.force === true);
  if (options.json) printJson({ file: options.output, genesis: json });
  else
    printLine(
      `wrote ${options.output}: network ${json.name}; give it to every node with --genesis ${shellWord(options.output)}`,
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
    .addOption(timeOption("--interval <time>", "time between blocks aimed at", "2s"))
    .option("--reward <coins>", "coins per block", "50")
    .option(
      "--halving <blocks>",
      "blocks between halvings of the reward",
      integer(1, Number.MAX_SAFE_INTEGER),
    )
    .option("--alloc <addr=coins>", "coins from the start; may be given several times", collect(String))
    .option("--validator <addr[=power]>", "for engine vote; may be given several times", collect(String))
    .requiredOption("-o, --output <file>", "where to write it", path)
    .option("--force", "replace the file if it exists")
    .addHelpText("after", "\nExample:\n  cumulo genesis new --difficulty 10 --reward 50 -o genesis.json")
    .action(create);
}
