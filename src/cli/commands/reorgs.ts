import type { Command } from "commander";
import type { Reorg } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import {
  countOf,
  formatDuration,
  formatWork,
  printJson,
  printLine,
  shortId,
  shortPeer,
  style,
} from "../output.ts";
import { integer } from "../values.ts";

function fates({ transactions }: Reorg): string {
  const counts = new Map<string, number>();
  for (const { fate } of transactions) counts.set(fate, (counts.get(fate) ?? 0) + 1);
  const words: Readonly<Record<string, string>> = {
    returned: "returned to the mempool",
    mined: "mined in the new branch",
    dropped: "dropped",
    conflicted: "conflicted",
  };
  const parts = [...counts].map(([fate, count]) => `${count} ${words[fate] ?? fate}`);
  return parts.length === 0 ? "no transactions affected" : parts.join(", ");
}

/** One reorg record as a few lines; also what `watch` prints. */
export function describeReorg(reorg: Reorg): string {
  const { oldHead, newHead, forkPoint, cause } = reorg;
  const who =
    cause.peer !== null
      ? `${cause.message} from ${shortPeer(cause.peer)}`
      : ["invalidate", "reconsider"].includes(cause.message)
        ? `the operator: ${cause.message} ${shortId(cause.block)}`
        : cause.message;
  const when = new Date(reorg.startedMs).toISOString().slice(11, 23);
  return [
    style(
      "bold",
      `reorg ${reorg.id}: depth ${reorg.depth}, fork point ${forkPoint.height} ${shortId(forkPoint.id)}`,
    ),
    `  out  ${countOf(reorg.blocksOut.length, "block")}, head ${oldHead.height} ${shortId(oldHead.id)}, work ${formatWork(oldHead.work)}`,
    `  in   ${countOf(reorg.blocksIn.length, "block")}, head ${newHead.height} ${shortId(newHead.id)}, work ${formatWork(newHead.work)}`,
    `  why  ${who}, at ${when}, took ${formatDuration(reorg.durationMs)}`,
    `  ${fates(reorg)}`,
  ].join("\n");
}

export function addReorgs(program: Command): void {
  connected(program.command("reorgs"))
    .description("reorg records, newest first")
    .option("--limit <n>", "how many", integer(1, 1_000), 10)
    .option("--transactions", "list the fate of each transaction")
    .addHelpText("after", "\nExample:\n  cumulo reorgs --limit 1 --transactions")
    .action(async (options: ConnectionOptions & JsonOption & { limit: number; transactions?: boolean }) => {
      const { items } = await (await openClient(options)).reorgs({ limit: options.limit });
      if (options.json) return printJson(items);
      if (items.length === 0) return printLine("no reorgs yet");
      for (const reorg of items) {
        printLine(describeReorg(reorg));
        for (const fate of options.transactions ? reorg.transactions : []) {
          const where =
            fate.fate === "mined" ? ` at ${fate.height}` : fate.fate === "dropped" ? ` by ${fate.rule}` : "";
          printLine(
            `    ${fate.id}  ${fate.fate}${where}${fate.fate === "conflicted" ? ` with ${fate.by}` : ""}`,
          );
        }
      }
    });
}
