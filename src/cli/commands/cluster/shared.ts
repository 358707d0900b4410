import type { Command } from "commander";
import type { NodeSnapshot } from "../../../cluster/index.ts";
import type { JsonOption } from "../../connection.ts";
import { formatWork, shellWord, shortId, shortPeer, style, table } from "../../output.ts";
import { integer, path } from "../../values.ts";

export interface Options extends JsonOption {
  readonly dir: string;
}

export const DEFAULT_DIR = "./.cumulo-cluster";
/** The most nodes of a cluster; not imported from its room, which would load for every command. */
export const MAX_NODES = 32;

export const open = async ({ dir }: Options) =>
  (await import("../../../cluster/index.ts")).createClusterClient(dir);

export const inDirectory = (command: Command): Command =>
  command.option("--dir <dir>", "the cluster's directory", path, DEFAULT_DIR);

/** For commands about one node. */
export const ofNode = (command: Command): Command =>
  inDirectory(command).argument("<node>", "its number, from 1", integer(1, MAX_NODES));

/** How a command that is told to be copied names this cluster. */
export const dirFlag = ({ dir }: Options): string => (dir === DEFAULT_DIR ? "" : ` --dir ${shellWord(dir)}`);

const portOf = (url: string): string => (url === "" ? "-" : new URL(url).port);
/** A state in one word, as narrow as the others. */
const stateWord = (state: string): string => (state === "waiting-for-peers" ? "waiting" : state);

function shownState({ state, status }: NodeSnapshot): string {
  if (state !== "running") return style(state === "ended" ? "red" : "yellow", state);
  if (status === undefined) return style("red", "no answer");
  const isGood = status.state === "synced" || status.state === "syncing";
  return style(isGood ? "green" : "yellow", stateWord(status.state));
}

/** Fits a terminal of 100 columns as long as work has no more than 10; --json has everything at length. */
export async function headsTable(nodes: readonly NodeSnapshot[]): Promise<string> {
  const rows = nodes.map((node) => {
    const { n, pid, api, peer, status } = node;
    return [
      String(n),
      shownState(node),
      status === undefined ? "-" : String(status.head.height),
      status === undefined ? "-" : shortId(status.head.id),
      status === undefined ? "-" : formatWork(status.head.work),
      status === undefined ? "-" : String(status.peers),
      status === undefined ? "-" : String(status.mempool.transactions),
      status === undefined ? "-" : status.mining.on ? "on" : "off",
      shortPeer(peer),
      portOf(api),
      String(pid),
    ];
  });
  return table(
    ["NODE", "STATE", "HEIGHT", "HEAD", "WORK", "PEERS", "PENDING", "MINING", "PEER", "PORT", "PID"],
    rows,
  );
}
