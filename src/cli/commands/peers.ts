import type { Command } from "commander";
import { type ConnectionOptions, connected, type JsonOption, nodeFlags, openClient } from "../connection.ts";
import { usageError } from "../failure.ts";
import { printJson, printLine, shortPeer, style, table } from "../output.ts";
import { findPeer, isNameOrAddress, shownAddress } from "../peer-lookup.ts";
import { multiaddr, quoted } from "../values.ts";
import { addBans } from "./bans.ts";

type Options = ConnectionOptions & JsonOption;

export function addPeers(program: Command): void {
  connected(program.command("peers"))
    .description("connected, configured, refused and banned peers; with the score of those that made faults")
    .addHelpText("after", "\nExample:\n  cumulo peers --json")
    .action(async (options: Options) => {
      const { items } = await (await openClient(options)).peers();
      if (options.json) return printJson(items);
      if (items.length === 0)
        return printLine(`no peers; add one with: cumulo peer add MULTIADDR${nodeFlags(options)}`);
      const rows = items.map((item) => [
        item.peer === null ? "-" : shortPeer(item.peer),
        style(
          item.state === "connected" ? "green" : "yellow",
          item.score === 0 ? item.state : `${item.state} ${item.score}`,
        ),
        item.direction ?? "-",
        item.configured ? "yes" : "no",
        item.head === null ? "-" : String(item.head.height),
        item.problem ?? shownAddress(item) ?? "-",
      ]);
      const headings = ["PEER", "STATE", "DIRECTION", "CONFIGURED", "HEAD", "ADDRESS OR PROBLEM"];
      printLine(await table(headings, rows, { lastWidth: 40 }));
    });
}

export function addPeer(program: Command): void {
  const peer = program.command("peer").description("configured peers, redialled for ever, and bans");
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
      if (!isNameOrAddress(name)) {
        throw usageError(
          `a peer is named by its multiaddr or its name as "cumulo peers" shows it, not ${quoted(name)}`,
        );
      }
      const client = await openClient(options);
      const removed = await client.removePeer(await findPeer(client, name));
      if (options.json) printJson(removed);
      else printLine(`removed ${name}`);
    });
  addBans(peer);
}
