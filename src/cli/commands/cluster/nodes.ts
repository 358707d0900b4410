import type { Command } from "commander";
import type { NodeDeed, NodeView } from "../../../cluster/index.ts";
import { printJson, printLine, withProgress } from "../../output.ts";
import { dirFlag, type Options, ofNode, open } from "./shared.ts";

interface Deed {
  readonly name: NodeDeed;
  readonly description: string;
  readonly progress: string;
  /** What is told when it is done; `flag` names the cluster in commands to copy. */
  readonly tell: (node: NodeView, flag: string) => string;
}

const DEEDS: readonly Deed[] = [
  {
    name: "kill",
    description: "kill a node's process at once (SIGKILL), as a crash would",
    progress: "killing node",
    tell: ({ n, pid }, flag) =>
      `node ${n} is killed (process ${pid}); start it again with: cumulo cluster restart ${n}${flag}`,
  },
  {
    name: "pause",
    description: "stop a node in the middle of what it does (SIGSTOP), as if its machine hung",
    progress: "pausing node",
    tell: ({ n, pid }, flag) =>
      `node ${n} is paused (process ${pid}); let it go on with: cumulo cluster resume ${n}${flag}`,
  },
  {
    name: "resume",
    description: "let a paused node go on (SIGCONT)",
    progress: "resuming node",
    tell: ({ n, pid }) => `node ${n} goes on (process ${pid})`,
  },
  {
    name: "restart",
    description: "end a node cleanly if it runs, and start it with the same data, ports and peers",
    progress: "restarting node",
    tell: ({ n, pid, api }) => `node ${n} runs again (process ${pid}), API ${api}`,
  },
];

export function addNodes(cluster: Command): void {
  for (const { name, description, progress, tell } of DEEDS)
    ofNode(cluster.command(name))
      .description(description)
      .addHelpText("after", `\nExample:\n  cumulo cluster ${name} 2`)
      .action(async (n: number, options: Options) => {
        const cluster = await open(options);
        const node = await withProgress(`${progress} ${n}`, () => cluster.act(n, name));
        if (options.json) printJson(node);
        else printLine(tell(node, dirFlag(options)));
      });
}
