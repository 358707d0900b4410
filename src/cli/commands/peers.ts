import type { Command } from "commander";
import { type ConnectionOptions, connected, type JsonOption, nodeFlags, openClient } from "../connection.ts";
import { usageError } from "../failure.ts";
import { printJson, printLine, style, table } from "../output.ts";
import { multiaddr } from "../values.ts";

type Options = ConnectionOptions & JsonOption;

export function addPeers(program: Command): void {
  connected(program.command("peers"))
    .description("connected, configured and refused peers")
    .addHelpText("after", "\nExample:\n  cumulo peers --json")
    .action(async (options: Options) => {
      const { items } = await (await openClient(options)).peers();
      if (options.json) return printJson(items);
      if (items.length === 0)
        return printLine(`no peers; add one with: cumulo peer add MULTIADDR${nodeFlags(options)}`);
      const rows = items.map(({ peer, state, direction, configured, head, address, problem }) => [
        peer ?? "-",
        style(state === "connected" ? "green" : "yellow", state),
        direction ?? "-",
        configured ? "yes" : "no",
        head === null ? "-" : String(head.height),
        problem ?? address ?? "-",
      ]);
      printLine(
        await table(["PEER", "STATE", "DIRECTION", "CONFIGURED", "HEAD", "ADDRESS OR PROBLEM"], rows),
      );
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
      if (!/^\/|^[1-9A-HJ-NP-Za-km-z]{20,80}$/.test(name)) {
        throw usageError(
          `a peer is named by its multiaddr or its name as "cumulo peers" shows it, not "${name}"`,
        );
      }
      const removed = await (await openClient(options)).removePeer(name);
      if (options.json) printJson(removed);
      else printLine(`removed ${name}`);
    });
}
