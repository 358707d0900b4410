import type { Command } from "commander";
import type { BlockDetail } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { usageError } from "../failure.ts";
import { fields, formatWork, printJson, printLine, shortPeer, table } from "../output.ts";
import { quoted } from "../values.ts";

type Options = ConnectionOptions & JsonOption;

async function showBlock(block: BlockDetail): Promise<void> {
  const { formatCoins } = await import("../../primitives/index.ts");
  printLine(
    fields([
      ["block", block.id],
      [
        "height",
        `${block.height}, ${block.state}${block.rule === undefined ? "" : ` (${block.rule})`}, depth ${block.depth}`,
      ],
      ["parent", block.parent],
      ["time", new Date(block.timestampMs).toISOString()],
      ["proposer", block.proposer],
      [
        "work",
        `${formatWork(block.work)} (difficulty ${formatWork(block.difficulty)}, nonce ${block.nonce})`,
      ],
      ["state root", block.stateRoot],
      ["size", `${block.sizeBytes} bytes`],
    ]),
  );
  if (block.transactions === null) return printLine("only the header is here yet");
  if (block.transactions.length === 0) return printLine("no transactions");
  const rows = block.transactions.map(({ id, transaction: { sender, action, fee } }) => [
    // At length: a node remembers short ids of transactions it saw, and old blocks are read too.
    id,
    shortPeer(sender),
    shortPeer(action.to),
    formatCoins(action.amount),
    formatCoins(fee),
  ]);
  printLine(await table(["TRANSACTION", "FROM", "TO", "COINS", "FEE"], rows));
}

export function addBlock(program: Command): void {
  connected(program.command("block"))
    .description("one block, by id or by height on the best chain")
    .argument("<block>", "id, the beginning of one, or height")
    .addHelpText("after", "\nExample:\n  cumulo block 12")
    .action(async (name: string, options: Options) => {
      if (!/^([0-9a-f]{8,64}|\d{1,15})$/.test(name)) {
        throw usageError(
          `a block is named by its id (64 lowercase hex digits, or the first 8 or more) or its height, not ${quoted(name)}`,
        );
      }
      const block = await (await openClient(options)).block(name);
      return options.json ? printJson(block) : showBlock(block);
    });
}
