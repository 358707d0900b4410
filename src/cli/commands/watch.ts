import type { Command } from "commander";
import type { ReceivedEvent } from "../../client/index.ts";
import { type ConnectionOptions, connected, type JsonOption, openClient } from "../connection.ts";
import { formatWork, printJson, printLine, shortId, shortPeer, style } from "../output.ts";
import { describeReorg } from "./reorgs.ts";
import { describeFate } from "./tx.ts";

function describe(event: ReceivedEvent): string {
  switch (event.type) {
    case "head":
      return `${style("green", "head")}   ${event.data.height} ${shortId(event.data.id)} work ${formatWork(event.data.work)}`;
    case "block":
      return `block  ${event.data.height} ${shortId(event.data.id)} ${event.data.state}`;
    case "tx":
      return `tx     ${shortId(event.data.id)} ${describeFate(event.data.fate)}`;
    case "peer":
      return `peer   ${shortPeer(event.data.peer)} ${event.data.connected ? "connected" : `gone: ${event.data.reason ?? ""}`}`;
    case "reorg":
      return describeReorg(event.data);
  }
}

export function addWatch(program: Command): void {
  connected(program.command("watch"))
    .description("show events as they happen, until interrupted")
    .addHelpText("after", "\nExample:\n  cumulo watch --api http://127.0.0.1:7071")
    .action(async (options: ConnectionOptions & JsonOption) => {
      const client = await openClient(options);
      const stop = new AbortController();
      process.once("SIGINT", () => stop.abort());
      process.once("SIGTERM", () => stop.abort());
      for await (const event of client.events(stop.signal)) {
        if (options.json) printJson(event);
        else printLine(`${new Date().toISOString().slice(11, 23)}  ${describe(event)}`);
      }
    });
}
