import type { Command } from "commander";
import { dataDirectory, type JsonOption } from "../connection.ts";
import { EXIT, usageError } from "../failure.ts";
import { countOf, fields, printJson, printLine, shortId, withProgress } from "../output.ts";
import { path } from "../values.ts";

interface Options extends JsonOption {
  readonly data?: string;
  readonly signatures?: boolean;
}

const DATA_OPTION = [
  "--data <dir>",
  "the data directory of a node that does not run (or CUMULO_DATA)",
  path,
] as const;

function directoryOf(options: Options): string {
  const directory = dataDirectory(options);
  if (directory === undefined) throw usageError("name the node's directory with --data DIR, or CUMULO_DATA");
  return directory;
}

const reached =
  (what: string, update: (text: string) => void) =>
  (height: number, of: number): void =>
    update(`${what} ${height} of ${of} blocks`);

async function reindex(options: Options): Promise<void> {
  const { reindexData } = await import("../../node/index.ts");
  const dataDir = directoryOf(options);
  const result = await withProgress("setting the state back", (update) =>
    reindexData({ dataDir, onProgress: reached("executed", update) }),
  );
  if (options.json) return printJson(result);
  const { height, firstHeight } = result;
  const executed =
    firstHeight === 0
      ? countOf(height, "block")
      : `the ${height - firstHeight + 1} blocks that were not pruned`;
  printLine(
    `executed ${executed} again; the head is ${height} ${shortId(result.head)}${result.wentOn ? "; an earlier reindex had been interrupted, and this one went on with it" : ""}`,
  );
}

async function check(options: Options): Promise<void> {
  const { checkData } = await import("../../node/index.ts");
  const { formatCoins } = await import("../../primitives/index.ts");
  const dataDir = directoryOf(options);
  const report = await withProgress("reading the chain of batches", (update) =>
    checkData({
      dataDir,
      onProgress: reached("checked", update),
      withSignatures: options.signatures === true,
    }),
  );
  if (report.findings.length > 0) process.exitCode = EXIT.failed;
  if (options.json) return printJson(report);
  const { supply, unchecked, findings } = report;
  printLine(
    fields([
      ["head", `${report.height}  ${report.head}`],
      [
        "blocks",
        `${report.blocks}, with ${countOf(report.transactions, "transaction")}${options.signatures ? ", all signatures verified" : ""}`,
      ],
      ["side branches", countOf(String(report.sideBlocks), "block")],
      ["accounts", String(report.accounts)],
      [
        "supply",
        `${countOf(formatCoins(supply.issued), "coin")} issued = ${formatCoins(supply.balances)} in accounts + ${formatCoins(supply.burned)} burned`,
      ],
    ]),
  );
  const isBaseDamaged = findings.some(({ code }) => code === "BASE_DAMAGED");
  for (const what of unchecked) printLine(`not checked: ${what}`);
  for (const { code, detail } of findings) printLine(`${code}  ${detail}`);
  printLine(
    findings.length === 0
      ? "nothing is wrong"
      : `${countOf(findings.length, "finding")}; "cumulo reindex" makes the state anew from the blocks, and blocks that are damaged come from peers again${isBaseDamaged ? ", but without the base of a pruned chain it cannot: restore a backup, or move chain/ away and sync again" : ""}`,
  );
}

export function addReindex(program: Command): void {
  program
    .command("reindex")
    .description(
      "execute all stored blocks again, for a state that is damaged; goes on where it was interrupted",
    )
    .option(...DATA_OPTION)
    .addHelpText("after", "\nExample:\n  cumulo reindex --data ./node1")
    .action(reindex);
}

export function addDb(program: Command): void {
  program
    .command("db")
    .description("the database of a node that does not run")
    .command("check")
    .description("read everything and say what is wrong; changes nothing")
    .option(...DATA_OPTION)
    .option("--signatures", "verify every signature too, which takes some five times as long")
    .addHelpText("after", "\nExample:\n  cumulo db check --data ./node1")
    .action(check);
}
