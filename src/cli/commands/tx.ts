import type { Command } from "commander";
import type { Fate, TransactionEvent, TransactionStatus } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { usageError } from "../failure.ts";
import { countOf, fields, printJson, printLine, shortId, shortPeer } from "../output.ts";
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
  for (const event of events) printLine(`  ${describeHappening(event).join("  ")}`);
}

/** When, and what. */
export function describeHappening(event: TransactionEvent): [time: string, what: string] {
  const { timeMs, what, peer, block, height, rule, detail, by } = event;
  const more = [
    typeof peer === "string" ? `from ${shortPeer(peer)}` : undefined,
    height,
    block === undefined ? undefined : shortId(block),
    rule,
    detail === undefined ? undefined : `(${detail})`,
    by === undefined ? undefined : `by ${shortId(by)}`,
  ];
  const text = [what, ...more.filter((part) => part !== undefined)].join(" ");
  return [new Date(timeMs).toISOString().slice(11, 23), text];
}

/** For arguments. */
export function transactionId(text: string): string {
  if (/^[0-9a-f]{8,64}$/.test(text)) return text;
  throw usageError(
    `a transaction id has 64 lowercase hex digits (the first 8 or more will do), not ${quoted(text)}`,
  );
}

export function addTx(program: Command): void {
  connected(program.command("tx"))
    .description("one transaction and its fate")
    .argument("<id>", "transaction id, or the beginning of one")
    .addHelpText("after", `\nExample:\n  cumulo tx ${"5".repeat(64)}`)
    .action(async (id: string, options: Options) => {
      const transaction = await (await openClient(options)).transaction(transactionId(id));
      return options.json ? printJson(transaction) : showTransaction(transaction);
    });
}
