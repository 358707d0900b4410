import { type Command, InvalidArgumentError } from "commander";
import type { NodeEventType } from "../../api/index.ts";
import type { ReceivedEvent } from "../../client/index.ts";
import { type ConnectionOptions, connected, type JsonOption, locateNode } from "../connection.ts";
import { formatWork, printJson, printLine, shortId, shortPeer, style } from "../output.ts";
import { timeOption } from "../values.ts";
import { describeReorg } from "./reorgs.ts";
import { describeFate } from "./tx.ts";

const GAPS = {
  restarted: "the node was started again",
  "too-old": "what came since is not kept any more",
  "unknown-id": "the node does not know where we were",
} as const;

function describe(event: ReceivedEvent): string {
  switch (event.type) {
    case "head":
      return `${style("green", "head")}   ${event.data.height} ${shortId(event.data.id)} work ${formatWork(event.data.work)}`;
    case "block":
      return `block  ${event.data.height} ${shortId(event.data.id)} ${event.data.state}`;
    case "header":
      return `header ${event.data.height} ${shortId(event.data.id)} from ${event.data.peer === null ? "here" : shortPeer(event.data.peer)}`;
    case "link":
      return `link   ${shortPeer(event.data.peer)} ${event.data.mode}`;
    case "tx":
      return `tx     ${shortId(event.data.id)} ${describeFate(event.data.fate)}`;
    case "peer":
      return `peer   ${shortPeer(event.data.peer)} ${event.data.connected ? "connected" : `gone: ${event.data.reason ?? ""}`}`;
    case "reorg":
      return describeReorg(event.data);
    case "gap":
      return style("yellow", `gap    events were missed: ${GAPS[event.data.reason]}`);
  }
}

interface Options extends ConnectionOptions, JsonOption {
  readonly kinds?: readonly NodeEventType[];
  readonly retry: number;
}

const KINDS: readonly NodeEventType[] = ["head", "reorg", "header", "block", "tx", "peer", "link"];

function kinds(text: string): NodeEventType[] {
  const given = text.split(",");
  const known = KINDS.filter((kind) => given.includes(kind));
  if (known.length === given.length) return known;
  throw new InvalidArgumentError(`It must be kinds apart by commas, of ${KINDS.join(", ")}.`);
}

async function watch(options: Options): Promise<void> {
  const { followEvents } = await import("../../client/index.ts");
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  let isLost = false;
  const events = followEvents(() => locateNode(options), stop.signal, {
    retryForMs: options.retry,
    ...(options.kinds === undefined ? {} : { kinds: options.kinds }),
    onLost({ error }) {
      // Once for each loss; every attempt would be noise.
      if (!isLost) process.stderr.write(`cumulo: ${error.message}; trying again\n`);
      isLost = true;
    },
  });
  for await (const event of events) {
    isLost = false;
    if (options.json) printJson(event);
    else printLine(`${new Date().toISOString().slice(11, 23)}  ${describe(event)}`);
  }
}

export function addWatch(program: Command): void {
  connected(program.command("watch"))
    .description("show events as they happen, until interrupted; goes on where it was when a node comes back")
    .option("--kinds <list>", `only these, apart by commas: ${KINDS.join(", ")}`, kinds)
    .addOption(timeOption("--retry <time>", "how long to try again when the node is away", "10m"))
    .addHelpText(
      "after",
      "\nExamples:\n  cumulo watch --api http://127.0.0.1:7071\n  cumulo watch --kinds head,reorg --data ./node1",
    )
    .action(watch);
}
