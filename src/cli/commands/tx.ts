import type { Command } from "commander";
import type { Fate, TransactionStatus } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { usageError } from "../failure.ts";
import { countOf, fields, printJson, printLine, shortId } from "../output.ts";
import { quoted } from "../values.ts";

type Options = ConnectionOptions & JsonOption;

export function describeFate(fate: Fate): string {
  switch (fate.state) {
    case "pending":
      return "pending";
    case "mined":
      return `mined in block ${fate.height} ${shortId(fate.block)}, depth ${fate.depth}`;
    case "dropped":
      return `dropped by rule ${fate.rule}`;
    case "conflicted":
      return `conflicted: its nonce was used by ${fate.by}`;
  }
}

async function showTransaction({ id, fate, transaction, events }: TransactionStatus): Promise<void> {
  const { formatCoins } = await import("../../primitives/index.ts");
  const body =
    transaction === null
      ? []
      : [
          ["from", `${transaction.sender} (nonce ${transaction.nonce})`] as const,
          ["to", transaction.action.to] as const,
          [
            "amount",
            `${countOf(formatCoins(transaction.action.amount), "coin")}, fee ${formatCoins(transaction.fee)}`,
          ] as const,
          ["expires", `after height ${transaction.expiry}`] as const,
        ];
  printLine(fields([["transaction", id], ["fate", describeFate(fate)], ...body]));
  for (const { timeMs, what, block, height, rule, by } of events) {
    const more = [height, block === undefined ? undefined : shortId(block), rule, by].filter(
      (part) => part !== undefined,
    );
    printLine(`  ${new Date(timeMs).toISOString().slice(11, 23)}  ${what} ${more.join(" ")}`.trimEnd());
  }
}

export function addTx(program: Command): void {
  connected(program.command("tx"))
    .description("one transaction and its fate")
    .argument("<id>", "transaction id, or the beginning of one")
    .addHelpText("after", `\nExample:\n  cumulo tx ${"5".repeat(64)}`)
    .action(async (id: string, options: Options) => {
      if (!/^[0-9a-f]{8,64}$/.test(id))
        throw usageError(
          `a transaction id has 64 lowercase hex digits (the first 8 or more will do), not ${quoted(id)}`,
        );
      const transaction = await (await openClient(options)).transaction(id);
      return options.json ? printJson(transaction) : showTransaction(transaction);
    });
}
