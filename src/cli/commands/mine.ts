import type { Command } from "commander";
import { type ConnectionOptions, connected, type JsonOption, nodeFlags, openClient } from "../connection.ts";
import { usageError } from "../failure.ts";
import { countOf, formatDuration, printJson, printLine, shortId, withProgress } from "../output.ts";
import { duration, hashRate, quoted, timeOption } from "../values.ts";

interface Options extends ConnectionOptions, JsonOption {
  readonly every?: number;
  readonly hashRate?: number;
  readonly timeout: number;
}

const MAX_BLOCKS = 10_000;

async function mineBlocks(count: number, options: Options): Promise<void> {
  const client = await openClient(options);
  const result = await withProgress(`mining ${countOf(count, "block")}`, () =>
    client.mining({ mode: "blocks", count, timeoutMs: options.timeout }),
  );
  if (options.json) return printJson(result);
  const last = result.blocks.at(-1) ?? "";
  const { length } = result.blocks;
  printLine(`mined ${countOf(length, "block")}; the last is ${shortId(last)}`);
}

async function mineContinuously(options: Options): Promise<void> {
  const client = await openClient(options);
  let { hashRate } = options;
  if (options.every !== undefined) {
    const { mining } = await client.status();
    hashRate = (Number(BigInt(`0x${mining.difficulty}`)) * 1_000) / options.every;
  }
  const result = await client.mining({ mode: "continuous", ...(hashRate === undefined ? {} : { hashRate }) });
  if (options.json) printJson(result);
  else
    printLine(
      `mines continuously, at ${Math.round(result.mining.targetHashRate)} tries a second; stop it with: cumulo mine off${nodeFlags(options)}`,
    );
}

async function mineOff(options: Options): Promise<void> {
  const result = await (await openClient(options)).mining({ mode: "off" });
  if (options.json) printJson(result);
  else printLine("mining is off");
}

export function addMine(program: Command): void {
  connected(program.command("mine"))
    .description("mine a number of blocks now, or continuously, or stop")
    .argument("[blocks]", `how many (1 to ${MAX_BLOCKS}), on, or off`)
    .option("--every <time>", "continuously, one block in this time on average", duration)
    .option("--hash-rate <n>", "continuously, at so many tries a second", hashRate)
    .addOption(timeOption("--timeout <time>", "how long a number of blocks may take, at most 10m", "60s"))
    .addHelpText(
      "after",
      "\nMining that is set here ends with the node; start it with --mine to have it mine after every start.\n\nExamples:\n  cumulo mine 5\n  cumulo mine --every 2s\n  cumulo mine off",
    )
    .action(async (what: string | undefined, options: Options) => {
      const continuous = options.every !== undefined || options.hashRate !== undefined;
      if (options.every !== undefined && options.hashRate !== undefined)
        throw usageError("--every and --hash-rate say the same; give one");
      if (continuous && what !== undefined && what !== "on")
        throw usageError(`give either "${what}" or --every and --hash-rate, not both`);
      if (continuous || what === "on") return mineContinuously(options);
      if (what === "off") return mineOff(options);
      const count = /^\d{1,6}$/.test(what ?? "") ? Number(what) : 0;
      if (count < 1 || count > MAX_BLOCKS) {
        throw usageError(
          `say how many blocks (1 to ${MAX_BLOCKS}), on, off or --every TIME${what === undefined ? "" : `; not ${quoted(what)}`}`,
        );
      }
      if (options.timeout > 600_000)
        throw usageError(`--timeout must be at most 10m, not ${formatDuration(options.timeout)}`);
      return mineBlocks(count, options);
    });
}
