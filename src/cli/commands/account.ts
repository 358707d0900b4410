import type { Command } from "commander";
import type { HistoryItem } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, nodeFlags, openClient } from "../connection.ts";
import { failure, usageError } from "../failure.ts";
import { countOf, fields, printJson, printLine, shortId, shortPeer, style, table } from "../output.ts";
import { integer } from "../values.ts";

interface Options extends ConnectionOptions, JsonOption {
  readonly proof?: boolean;
  readonly history?: boolean;
  readonly limit?: number;
  readonly after?: string;
}

const DEFAULT_LIMIT = 20;

async function show(address: string, options: Options): Promise<void> {
  const account = await (await openClient(options)).account(address);
  if (options.json) return printJson(account);
  const { formatCoins } = await import("../../primitives/index.ts");
  printLine(
    fields([
      ["address", account.address],
      ["balance", countOf(formatCoins(account.balance), "coin")],
      ["nonce", `${account.nonce} (next ${account.nextNonce}, ${account.pending} pending)`],
      [
        "at",
        `height ${account.head.height}${account.exists ? "" : "; the chain has never seen this account"}`,
      ],
    ]),
  );
}

async function prove(address: string, options: Options): Promise<void> {
  const proof = await (await openClient(options)).accountProof(address);
  const { provenBlock } = await import("../../client/index.ts");
  if (provenBlock(proof) !== proof.block.id)
    throw failure(
      "PROOF_INVALID",
      `the node's proof of ${address} does not lead to block ${proof.block.id}; do not trust it`,
    );
  if (options.json) return printJson(proof);
  const { formatCoins } = await import("../../primitives/index.ts");
  printLine(
    fields([
      ["address", proof.address],
      ["balance", countOf(formatCoins(proof.balance), "coin")],
      ["nonce", String(proof.nonce)],
      ["index", `${proof.index} in the list of accounts`],
      ["proven", `by ${proof.siblings.length} hashes that lead to block ${proof.block.height}`],
      ["block", proof.block.id],
    ]),
  );
}

/** What came in or went out, with its sign. */
function change({ direction, amount }: HistoryItem, format: (units: number) => string): string {
  if (direction === "self") return "0";
  return direction === "out" ? `-${format(amount)}` : `+${format(amount)}`;
}

async function listHistory(name: string, address: string, options: Options): Promise<void> {
  const { limit = DEFAULT_LIMIT, after } = options;
  const client = await openClient(options);
  const page = await client.accountHistory(address, { limit, ...(after === undefined ? {} : { after }) });
  if (options.json) return printJson(page);
  const { formatCoins } = await import("../../primitives/index.ts");
  const { items, next, indexedHeight, firstHeight, head } = page;
  if (items.length === 0) printLine(after === undefined ? "nothing happened to this account yet" : "no more");
  else {
    const rows = items.map((item) => [
      String(item.height),
      new Date(item.timestampMs).toISOString().slice(0, 19).replace("T", " "),
      item.direction,
      change(item, formatCoins),
      item.direction === "out" || item.direction === "self" ? formatCoins(item.fee) : "-",
      item.counterpart === null ? "-" : shortPeer(item.counterpart),
      item.transaction === null ? "-" : shortId(item.transaction),
    ]);
    printLine(
      await table(["HEIGHT", "TIME", "WHAT", "COINS", "FEE PAID", "COUNTERPART", "TRANSACTION"], rows),
    );
  }
  if (next !== null)
    printLine(`older: cumulo account ${name} --history --after ${next}${nodeFlags(options)}`);
  if (indexedHeight < head.height)
    printLine(style("yellow", `the index is at height ${indexedHeight} of ${head.height} and catches up`));
  if (firstHeight > 0) printLine(style("yellow", `what happened below height ${firstHeight} was pruned`));
}

export function addAccount(program: Command): void {
  connected(program.command("account"))
    .description("balance and nonce of an account, its proof or its history")
    .argument("<address>", "cum1... or the name of a key in --data")
    .option("--proof", "the account with the hashes that prove it, checked here against the block's id")
    .option("--history", "what happened to it, newest first: transfers, rewards, its allocation")
    .option(
      "--limit <n>",
      `with --history: how many, 1 to 1000 (default: ${DEFAULT_LIMIT})`,
      integer(1, 1_000),
    )
    .option("--after <cursor>", "with --history: go on after a page, with its `next`")
    .addHelpText(
      "after",
      "\nExamples:\n  cumulo account alice --data ./node1\n  cumulo account alice --history --limit 5 --data ./node1",
    )
    .action(async (name: string, options: Options) => {
      if (options.proof && options.history) throw usageError("give either --proof or --history, not both");
      if (!options.history && (options.limit !== undefined || options.after !== undefined))
        throw usageError("--limit and --after need --history");
      const { resolveAddress } = await import("../key-lookup.ts");
      const address = await resolveAddress(name, options);
      if (options.proof) return await prove(address, options);
      return await (options.history ? listHistory(name, address, options) : show(address, options));
    });
}
