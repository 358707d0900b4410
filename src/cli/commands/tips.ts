import type { Command } from "commander";
import type { Tip } from "../../api/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { formatWork, printJson, printLine, shortId, style, table } from "../output.ts";

/** Why a tip is in no branch that can win. */
const reasonOf = (id: string, rule: string | undefined, mark: Tip["mark"]): string =>
  rule !== undefined
    ? ` (${rule})`
    : mark === undefined || mark.id === id
      ? ""
      : ` (with ${mark.height} ${shortId(mark.id)})`;

export function addTips(program: Command): void {
  connected(program.command("tips"))
    .description("the leaves of all branches, the head first")
    .addHelpText("after", "\nExample:\n  cumulo tips")
    .action(async (options: ConnectionOptions & JsonOption) => {
      const client = await openClient(options);
      const [{ items }, { tied }] = await Promise.all([client.tips(), client.status()]);
      if (options.json) return printJson(items);
      const rows = items.map(({ id, height, work, state, forkPoint, length, rule, mark }) => [
        shortId(id),
        String(height),
        formatWork(work),
        style(state === "head" ? "green" : "yellow", state + reasonOf(id, rule, mark)),
        length === 0 ? "-" : `${length} from ${forkPoint.height}`,
      ]);
      printLine(await table(["TIP", "HEIGHT", "WORK", "STATE", "BRANCH"], rows));
      if (tied.length > 0) printLine(style("yellow", "tied: mine one block"));
    });
}
