import type { Command } from "commander";
import type { Peer } from "../../api/index.ts";
import type { Client } from "../../client/index.ts";
import { type ConnectionOptions, connected, type JsonOption, nodeFlags, openClient } from "../connection.ts";
import { failure, usageError } from "../failure.ts";
import { printJson, printLine, shortPeer, style, table } from "../output.ts";
import { multiaddr, quoted } from "../values.ts";

type Options = ConnectionOptions & JsonOption;

/** Without the name at its end, which stands in a column of its own. */
const shownAddress = ({ address, peer }: Peer): string | undefined =>
  (peer === null ? address : address?.replace(`/p2p/${peer}`, "")) ?? undefined;

/** The configured peer that a person means: by its whole name or address, or by what `peers` shows of them. */
async function findPeer(client: Client, text: string): Promise<string> {
  const { items } = await client.peers();
  const end = text.replace(/^…/, "");
  const meant = items.filter(
    (item) =>
      item.peer !== null && (shownAddress(item) === text || (end.length >= 6 && item.peer.endsWith(end))),
  );
  // Whatever else it is, the node may know it, or says what it is not.
  if (meant.length === 0) return text.startsWith("…") ? end : text;
  if (meant.length === 1) return meant[0]?.peer ?? text;
  throw failure("PEER_AMBIGUOUS", `${quoted(text)} fits ${meant.length} peers; give more of the name`);
}

export function addPeers(program: Command): void {
  connected(program.command("peers"))
    .description("connected, configured and refused peers")
    .addHelpText("after", "\nExample:\n  cumulo peers --json")
    .action(async (options: Options) => {
      const { items } = await (await openClient(options)).peers();
      if (options.json) return printJson(items);
      if (items.length === 0)
        return printLine(`no peers; add one with: cumulo peer add MULTIADDR${nodeFlags(options)}`);
      const rows = items.map((item) => [
        item.peer === null ? "-" : shortPeer(item.peer),
        style(item.state === "connected" ? "green" : "yellow", item.state),
        item.direction ?? "-",
        item.configured ? "yes" : "no",
        item.head === null ? "-" : String(item.head.height),
        item.problem ?? shownAddress(item) ?? "-",
      ]);
      const headings = ["PEER", "STATE", "DIRECTION", "CONFIGURED", "HEAD", "ADDRESS OR PROBLEM"];
      printLine(await table(headings, rows, { lastWidth: 44 }));
    });
}

export function addPeer(program: Command): void {
  const peer = program.command("peer").description("configured peers: dialled at once, redialled for ever");
  connected(peer.command("add"))
    .description("add a configured peer")
    .argument("<multiaddr>", "where it listens", multiaddr)
    .addHelpText("after", "\nExample:\n  cumulo peer add /ip4/127.0.0.1/tcp/4001 --data ./node2")
    .action(async (address: string, options: Options) => {
      const added = await (await openClient(options)).addPeer(address);
      if (options.json) printJson(added);
      else printLine(`added ${address}${added.peer === null ? "" : ` (${added.peer})`}`);
    });
  connected(peer.command("remove"))
    .description("forget a configured peer and disconnect it")
    .argument("<peer>", "its name or multiaddr")
    .addHelpText("after", "\nExample:\n  cumulo peer remove /ip4/127.0.0.1/tcp/4001 --data ./node2")
    .action(async (name: string, options: Options) => {
      if (!/^\/|^(…?[1-9A-HJ-NP-Za-km-z]{6,80})$/.test(name)) {
        throw usageError(
          `a peer is named by its multiaddr or its name as "cumulo peers" shows it, not ${quoted(name)}`,
        );
      }
      const client = await openClient(options);
      const removed = await client.removePeer(await findPeer(client, name));
      if (options.json) printJson(removed);
      else printLine(`removed ${name}`);
    });
}
