import type { Command } from "commander";
import type { BlockDetail, BlockMark } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { type CliError, usageError } from "../failure.ts";
import {
  fields,
  formatWork,
  printJson,
  printLine,
  shortId,
  shortPeer,
  table,
  withProgress,
} from "../output.ts";
import { quoted } from "../values.ts";

type Options = ConnectionOptions & JsonOption;

/** Why a block is in no branch that can win. */
function reasonOf({ id, rule, mark }: BlockDetail): string {
  if (rule !== undefined) return ` (${rule})`;
  if (mark === undefined) return "";
  return mark.id === id ? " by the operator" : ` with its ancestor ${mark.height} ${shortId(mark.id)}`;
}

async function showBlock(block: BlockDetail): Promise<void> {
  const { formatCoins } = await import("../../primitives/index.ts");
  printLine(
    fields([
      ["block", block.id],
      ["height", `${block.height}, ${block.state}${reasonOf(block)}, depth ${block.depth}`],
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
  if (block.transactions === null) return;
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

function checkName(name: string): void {
  if (/^([0-9a-f]{8,64}|\d{1,15})$/.test(name)) return;
  throw usageError(
    `a block is named by its id (64 lowercase hex digits, or the first 8 or more) or its height, not ${quoted(name)}`,
  );
}

function describeMark({ id, height, changed, state, marks, head, reorg }: BlockMark): string {
  const block = `block ${height} ${shortId(id)}`;
  const done = !changed
    ? `${block} is ${state} already`
    : state === "invalidated"
      ? `invalidated ${block} and what builds on it`
      : `reconsidered ${block}${marks.length > 1 ? `, with ${marks.length} marks` : ""}`;
  const led = reorg === null ? "the head stays" : `reorg ${reorg} led to`;
  return `${done}; ${led} ${head.height} ${shortId(head.id)}`;
}

function addMark(
  block: Command,
  what: "invalidate" | "reconsider",
  description: string,
  example: string,
): void {
  connected(block.command(what))
    .description(description)
    .argument("<block>", "id, the beginning of one, or height")
    .addHelpText("after", `\nExample:\n  ${example}`)
    .action(async (name: string, _options: Options, command: Command) => {
      checkName(name);
      // `block` has the same ones, and takes them wherever they stand.
      const options: Options = command.optsWithGlobals();
      const client = await openClient(options);
      const done = await withProgress(`${what} ${name}: going to the best branch`, () =>
        what === "invalidate" ? client.invalidateBlock(name) : client.reconsiderBlock(name),
      );
      if (options.json) printJson(done);
      else printLine(describeMark(done));
    });
}

export function addBlock(program: Command): void {
  const block = connected(program.command("block"))
    .description("one block, by id or by height on the best chain")
    .argument("<block>", "id, the beginning of one, or height")
    .addHelpText("after", "\nExample:\n  cumulo block 12")
    .action(async (name: string, options: Options) => {
      checkName(name);
      const found = await (await openClient(options)).block(name).catch(async (error: unknown) => {
        // What is left of it is told too, and then that it is not all.
        const { header } = (error as Partial<CliError>).details ?? {};
        if (header !== undefined && !options.json) await showBlock(header as BlockDetail);
        throw error;
      });
      return options.json ? printJson(found) : showBlock(found);
    });
  addMark(
    block,
    "invalidate",
    "set a block and all that builds on it aside, until it is reconsidered; the best other branch is taken",
    "cumulo block invalidate 12 --data ./node1",
  );
  addMark(
    block,
    "reconsider",
    "take that back, for the block, its ancestors and what builds on it",
    "cumulo block reconsider 0012ab34 --data ./node1",
  );
}
