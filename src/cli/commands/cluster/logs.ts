import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { printLine } from "../../output.ts";
import { integer } from "../../values.ts";
import { type Options, ofNode, open } from "./shared.ts";

interface LogsOptions extends Options {
  readonly lines: number;
  readonly follow?: boolean;
}

/** How often a log that is followed is looked at. */
const FOLLOW_MS = 250;

/** Text that peers may have chosen must not move the cursor, or worse. */
const clean = (text: string): string => text.replace(/[\p{Cc}\ufffd]/gu, "?");
const cleanValue = (_key: string, value: unknown): unknown =>
  typeof value === "string" ? clean(value) : value;

/** An entry as on a terminal where the node runs; what is no entry is shown as it is. */
async function createPretty(): Promise<(line: string) => string> {
  const { prettyFactory } = await import("pino-pretty");
  const { terminalFormat } = await import("../../../ports/index.ts");
  const colorize = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;
  const pretty = prettyFactory({ ...terminalFormat(process.env), colorize });
  return (line) => {
    try {
      const entry: unknown = JSON.parse(line, cleanValue);
      if (typeof entry === "object" && entry !== null) return pretty(entry).trimEnd();
    } catch {
      // Not an entry.
    }
    return clean(line);
  };
}

/** Entries as they are; a line that is none, such as a last word without a log, becomes one: every line is JSON. */
function rawJson(line: string): string {
  try {
    JSON.parse(line);
    return line;
  } catch {
    return JSON.stringify({ msg: line });
  }
}

async function logs(n: number, options: LogsOptions): Promise<void> {
  const show = options.json ? rawJson : await createPretty();
  const cluster = await open(options);
  const print = (lines: readonly string[]): void => {
    if (lines.length > 0) printLine(lines.map(show).join("\n"));
  };
  let page = await cluster.log(n, { lines: options.lines });
  print(page.items);
  if (!options.follow) return;
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  while (!stop.signal.aborted) {
    page = await cluster.log(n, { after: page.next });
    print(page.items);
    // More may be there already.
    if (page.items.length === 0) await pause(FOLLOW_MS, undefined, { signal: stop.signal }).catch(() => {});
  }
}

export function addLogs(cluster: Command): void {
  ofNode(cluster.command("logs"))
    .description("a node's log, from its end; --json: as it is written, one entry a line")
    .option("--lines <n>", "how many, 1 to 10000", integer(1, 10_000), 50)
    .option("-f, --follow", "go on with what is written, also over a restart, until interrupted")
    .addHelpText("after", "\nExample:\n  cumulo cluster logs 2 --lines 20 --follow")
    .action(logs);
}
