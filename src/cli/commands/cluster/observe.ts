import type { Command } from "commander";
import type { TransactionStatus } from "../../../api/index.ts";
import { countOf, printJson, printLine, table } from "../../output.ts";
import { writeOutput } from "../../output-file.ts";
import { path } from "../../values.ts";
import { describeFate, describeHappening, transactionId } from "../tx.ts";
import { inDirectory, type Options, open } from "./shared.ts";

interface RecordOptions extends Options {
  readonly output: string;
  readonly name: string;
  readonly force?: boolean;
}

/** What one node says of a transaction. */
interface NodeFate {
  readonly n: number;
  /** Null where it never saw it, or does not answer. */
  readonly transaction: TransactionStatus | null;
  /** Why there is none. */
  readonly problem: string | null;
}

async function record(options: RecordOptions): Promise<void> {
  const { takeRecording } = await import("../../../cluster/index.ts");
  const recording = await takeRecording(await open(options), { name: options.name });
  const { nodes, entries, reorgs } = recording;
  await writeOutput(options.output, `${JSON.stringify(recording)}\n`, options.force ?? false);
  const count = Object.values(reorgs).reduce((sum, { length }) => sum + length, 0);
  const written = { file: options.output, nodes: nodes.length, entries: entries.length, reorgs: count };
  if (options.json) return printJson(written);
  const what = `${countOf(entries.length, "thing")} that ${countOf(nodes.length, "node")} saw`;
  printLine(`wrote ${what}, with ${countOf(count, "reorg")}, to ${options.output}`);
}

async function showFates(text: string, options: Options): Promise<void> {
  const id = transactionId(text);
  const cluster = await open(options);
  const { nodes } = await cluster.info();
  const fates = await Promise.all(
    nodes.map(async ({ n }): Promise<NodeFate> => {
      try {
        return { n, transaction: await cluster.node(n).transaction(id), problem: null };
      } catch (error) {
        return { n, transaction: null, problem: (error as Error).message };
      }
    }),
  );
  if (options.json) return printJson({ items: fates });
  const rows = fates.flatMap(({ n, transaction, problem }) => {
    const now = [String(n), transaction === null ? (problem ?? "") : describeFate(transaction.fate), ""];
    const life = (transaction?.events ?? []).map((event) => ["", ...describeHappening(event)]);
    return [now, ...life];
  });
  printLine(await table(["NODE", "FATE", "WHAT"], rows));
}

/** What the nodes of a cluster saw. */
export function addObservation(cluster: Command): void {
  inDirectory(cluster.command("record"))
    .description(
      "write all that the supervisor has recorded of the nodes, for a page or a program to look at",
    )
    .requiredOption("-o, --output <file>", "where to write it", path)
    .option("--name <name>", "what the recording is called", "cluster")
    .option("--force", "replace the file if it exists")
    .addHelpText("after", "\nExample:\n  cumulo cluster record -o recording.json")
    .action(record);
  inDirectory(cluster.command("tx"))
    .description("the fate of one transaction on every node, side by side")
    .argument("<id>", "transaction id, or the beginning of one")
    .addHelpText("after", `\nExample:\n  cumulo cluster tx ${"5".repeat(64)}`)
    .action(showFates);
}
