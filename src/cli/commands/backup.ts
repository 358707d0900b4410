import { join } from "node:path";
import type { Command } from "commander";
import { dataDirectory, type JsonOption, openClient } from "../connection.ts";
import { CliError, EXIT, usageError } from "../failure.ts";
import { countOf, printJson, printLine, shellWord, shortId, withProgress } from "../output.ts";
import { path } from "../values.ts";

interface BackupFlags extends JsonOption {
  readonly data?: string;
  readonly output: string;
  readonly withKeys?: boolean;
}

interface RestoreFlags extends JsonOption {
  readonly data?: string;
  readonly trust?: boolean;
  readonly withKeys?: boolean;
}

const MIB = 1024 * 1024;
const inMiB = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

function directoryOf(options: { readonly data?: string }): string {
  const directory = dataDirectory(options);
  if (directory === undefined) throw usageError("name the node's directory with --data DIR, or CUMULO_DATA");
  return directory;
}

/** Runs until it is done or a signal comes; what it has begun is taken away before the command ends. */
async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  try {
    return await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw new CliError("INTERRUPTED", EXIT.interrupted, "interrupted; nothing was left behind");
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
  }
}

async function backup(options: BackupFlags): Promise<void> {
  const { backupData } = await import("../../node/index.ts");
  const dataDir = directoryOf(options);
  const result = await interruptible((signal) =>
    withProgress("reading the chain", (update) =>
      backupData({
        dataDir,
        output: options.output,
        withKeys: options.withKeys === true,
        // The directory's own node, whatever CUMULO_API says.
        fromNode: async () =>
          await (await openClient({ data: dataDir, tokenFile: join(dataDir, "api-token") })).backup({
            signal,
          }),
        signal,
        onProgress: (bytes) => update(`wrote ${inMiB(bytes)}`),
      }),
    ),
  );
  if (options.json) return printJson(result);
  const { file, sizeBytes, head, firstHeight, network, keys, online } = result;
  printLine(
    `backed up ${network} at ${head.height} ${shortId(head.id)}${online ? " from the running node" : ""}: ${file}, ${inMiB(sizeBytes)}`,
  );
  tellOfPruned(firstHeight);
  printLine(
    options.withKeys
      ? `with ${countOf(keys.length, "key")} as they are on the disk (${keys.join(", ")}): keep it as safe as them`
      : "without keys; to save those too, add --with-keys, or use: cumulo key export",
  );
  printLine(
    `to use it: cumulo restore ${shellWord(file)} --data DIR${options.withKeys ? " --with-keys" : ""}`,
  );
}

function tellOfPruned(firstHeight: number): void {
  if (firstHeight > 0) printLine(`pruned: blocks below ${firstHeight} are not in it`);
}

async function restore(file: string, options: RestoreFlags): Promise<void> {
  const { restoreData } = await import("../../node/index.ts");
  const dataDir = directoryOf(options);
  const result = await interruptible((signal) =>
    withProgress("reading the backup", (update) =>
      restoreData({
        file,
        dataDir,
        trusted: options.trust === true,
        withKeys: options.withKeys === true,
        signal,
        onProgress: (bytes, of) => update(`read ${inMiB(bytes)} of ${inMiB(of)}`),
        onJudged: (blocks, of) => update(`judged block ${blocks} of ${of}`),
      }),
    ),
  );
  if (options.json) return printJson(result);
  const { network, head, firstHeight, keys, identity, judged, leftOut } = result;
  printLine(`restored ${network} at ${head.height} ${shortId(head.id)} into ${dataDir}`);
  if (judged) printLine("every block in it was judged by the rules");
  tellOfPruned(firstHeight);
  if (leftOut.reorgs + leftOut.marks > 0)
    printLine(
      `left out, as nobody can check them: ${countOf(String(leftOut.reorgs), "reorg record")}, ${countOf(String(leftOut.marks), "invalidation")} by the operator; --trust keeps them`,
    );
  if (leftOut.keys > 0 || leftOut.identity)
    printLine(
      `left out, as whoever made the backup has them too: ${countOf(leftOut.keys, "key")}${leftOut.identity ? " and the name among peers" : ""}; --with-keys takes them`,
    );
  if (keys > 0) printLine(`with ${countOf(keys, "key")}, which whoever made the backup has too`);
  if (identity)
    printLine(
      "with the node's name among peers, which whoever made the backup has too: do not run both at a time",
    );
  printLine(
    `to check it: cumulo db check --data ${shellWord(dataDir)}; to start it: cumulo node start --data ${shellWord(dataDir)}`,
  );
}

export function addBackup(program: Command): void {
  program
    .command("backup")
    .description("write a node's chain into one file, while the node runs or not")
    .option("--data <dir>", "the node's data directory (or CUMULO_DATA)", path)
    .requiredOption(
      "-o, --output <file>",
      "file that does not exist yet, or a directory to put one into",
      path,
    )
    .option(
      "--with-keys",
      "with the key files as they are, plain or encrypted, and the node's name among peers; never with its API token",
    )
    .addHelpText("after", "\nExample:\n  cumulo backup --data ./node1 -o ./node1.backup")
    .action(backup);
}

export function addRestore(program: Command): void {
  program
    .command("restore")
    .description("make a node's directory from a backup; it must be empty or not there yet")
    .argument("<file>", "the backup", path)
    .option("--data <dir>", "the directory to make (or CUMULO_DATA)", path)
    .option(
      "--trust",
      "believe all that is in it, as it is, reorg records and invalidations too: for a backup of your own, and faster",
    )
    .option(
      "--with-keys",
      "take the key files in it too, and the node's name among peers: for a backup of your own, as whoever made it has them",
    )
    .addHelpText(
      "after",
      "\nEvery block in it is judged as if a peer had sent it. Of a pruned chain the headers are, from genesis on, and the\nstate that the blocks begin from is the one that a header names.\nExamples:\n  cumulo restore ./node1.backup --data ./node2\n  cumulo restore ./mine.backup --data ./node1 --trust --with-keys",
    )
    .action(restore);
}
