import type { Command } from "commander";
import type { Status } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import {
  countOf,
  fields,
  formatDuration,
  formatWork,
  printJson,
  printLine,
  shortId,
  style,
} from "../output.ts";

function describeMining({ mining }: Status): string {
  if (!mining.on) return "off";
  const rate = Math.round(mining.hashRate).toLocaleString("en-US");
  const limit =
    mining.mode === "continuous"
      ? `, aims at ${Math.round(mining.targetHashRate).toLocaleString("en-US")}`
      : "";
  return `${mining.mode}, ${rate} tries a second${limit}`;
}

function describeSync(sync: NonNullable<Status["sync"]>): string {
  const { blocksDone, blocksTotal, blocksPerSecond } = sync;
  const percent = Math.floor((100 * blocksDone) / Math.max(1, blocksTotal));
  return `${blocksDone} of ${blocksTotal} blocks (${percent} %), ${blocksPerSecond} a second`;
}

function human(status: Status): string {
  const { head } = status;
  const state = style(status.state === "synced" ? "green" : "yellow", status.state);
  const tied = status.tied.map(({ id }) => shortId(id)).join(", ");
  return fields([
    ...(status.attack === null
      ? []
      : [["ATTACK", style("red", `this node attacks its peers: ${status.attack}`)] as const]),
    ["network", `${status.network} (chain ${status.chain.slice(0, 8)})`],
    ["head", `${head.height}  ${head.id}`],
    ["work", formatWork(head.work)],
    ...(tied === "" ? [] : [["tied", `with ${tied}: mine one block`] as const]),
    ["state", `${state}: ${status.reason}`],
    ...(status.sync === null ? [] : [["sync", describeSync(status.sync)] as const]),
    ...(status.firstHeight > 0
      ? [["blocks", `from ${status.firstHeight} on; those below were pruned`] as const]
      : []),
    ["peers", String(status.peers)],
    ["mempool", `${countOf(status.mempool.transactions, "transaction")}, ${status.mempool.bytes} bytes`],
    ["mining", describeMining(status)],
    ["reward to", status.mining.rewardTo],
    ["reorgs", String(status.reorgs)],
    ["node", status.node.peer],
    ...status.node.multiaddrs.map((address) => ["listens", address] as const),
    ["version", `${status.version}, up ${formatDuration(status.uptimeMs)}`],
  ]);
}

export function addStatus(program: Command): void {
  connected(program.command("status"))
    .description("head, state, peers, mempool and mining of a node")
    .addHelpText("after", "\nExample:\n  cumulo status --api http://127.0.0.1:7071")
    .action(async (options: ConnectionOptions & JsonOption) => {
      const status = await (await openClient(options)).status();
      if (options.json) printJson(status);
      else printLine(human(status));
    });
}
