import { type Command, InvalidArgumentError } from "commander";
import type { NodeEventType } from "../../api/index.ts";
import type { ReceivedEvent } from "../../client/index.ts";
import { type ConnectionOptions, connected, type JsonOption, locateNode } from "../connection.ts";
import { usageError } from "../failure.ts";
import { formatWork, hasColours, printJson, printLine, shortId, shortPeer, style } from "../output.ts";
import { path, timeOption } from "../values.ts";
import { plain } from "../watch/line.ts";
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
      return `peer   ${shortPeer(event.data.peer)} ${event.data.connected ? "connected" : `gone: ${plain(event.data.reason ?? "")}`}`;
    case "reorg":
      return describeReorg(event.data);
    case "gap":
      return style("yellow", `gap    events were missed: ${GAPS[event.data.reason]}`);
  }
}

interface Options extends ConnectionOptions, JsonOption {
  readonly kinds?: readonly NodeEventType[];
  readonly retry: number;
  readonly dir?: string;
  readonly lines?: boolean;
}

const KINDS: readonly NodeEventType[] = ["head", "reorg", "header", "block", "tx", "peer", "link"];

function kinds(text: string): NodeEventType[] {
  const given = text.split(",");
  const known = KINDS.filter((kind) => given.includes(kind));
  if (known.length === given.length) return known;
  throw new InvalidArgumentError(`It must be kinds apart by commas, of ${KINDS.join(", ")}.`);
}

async function showLines(options: Options, stop: AbortController): Promise<void> {
  const { followEvents } = await import("../../client/index.ts");
  const events = followEvents(() => locateNode(options), stop.signal, {
    retryForMs: options.retry,
    ...(options.kinds === undefined ? {} : { kinds: options.kinds }),
    ...lossNotes(),
  });
  for await (const event of events) {
    if (options.json) printJson(event);
    else printLine(`${new Date().toISOString().slice(11, 23)}  ${describe(event)}`);
  }
}

async function showClusterLines(options: Options, dir: string, stop: AbortController): Promise<void> {
  const { createClusterClient } = await import("../../cluster/index.ts");
  const { createRecording } = await import("../../client/index.ts");
  const { eventLine } = await import("../watch/screen.ts");
  const { render } = await import("../watch/line.ts");
  const cluster = await createClusterClient(dir);
  // Knows peers by their numbers, and nothing else.
  const model = createRecording();
  for (const { n, peer } of (await cluster.info()).nodes) model.addNode({ n, peer, name: `node ${n}` });
  for await (const event of cluster.events(stop.signal, { retryForMs: options.retry, ...lossNotes() })) {
    if (options.json) printJson(event);
    else if (event.type === "gap")
      printLine(style("yellow", `gap    events were missed: ${GAPS[event.data.reason]}`));
    else printLine(render(eventLine({ model }, event.data), hasColours()));
  }
}

/** Says once for each loss that a connection was lost; every attempt would be noise. */
function lossNotes(): { onLost(lost: { error: Error }): void; onConnected(): void } {
  let isLost = false;
  return {
    onLost({ error }) {
      if (!isLost) process.stderr.write(`cumulo: ${error.message}; trying again\n`);
      isLost = true;
    },
    onConnected() {
      isLost = false;
    },
  };
}

async function showScreen(options: Options, stop: AbortController): Promise<void> {
  const { createStore, followCluster, followNode } = await import("../watch/feed.ts");
  const { openApp } = await import("../watch/app.ts");
  let app: ReturnType<typeof openApp> | undefined;
  let isLost = false;
  const store = createStore(() => app?.changed());
  const following = {
    store,
    signal: stop.signal,
    retryForMs: options.retry,
    onReached(isReached: boolean) {
      isLost = !isReached;
      app?.changed();
    },
  };
  let title: string;
  let follow: () => Promise<void>;
  if (options.dir === undefined) {
    const located = await locateNode(options);
    const { createClient } = await import("../../client/index.ts");
    const client = createClient(located);
    // Where there is no node, it is said before the screen is taken.
    const { node } = await client.status();
    store.addNode({ n: 1, name: "node", peer: node.peer });
    title = located.url;
    follow = () => followNode(() => locateNode(options), { ...following, n: 1 });
  } else {
    const { createClusterClient } = await import("../../cluster/index.ts");
    const cluster = await createClusterClient(options.dir);
    for (const { n, peer } of (await cluster.info()).nodes) store.addNode({ n, name: `node ${n}`, peer });
    title = options.dir;
    follow = () => followCluster(cluster, following);
  }
  app = openApp({
    input: process.stdin,
    output: process.stdout,
    hasColours: hasColours(),
    view: () => ({ title, model: store.model, entries: store.entries, isLost, nowMs: Date.now() }),
    onQuit: () => stop.abort(),
  });
  try {
    await follow();
  } finally {
    app.close();
  }
}

/** Whether somebody sits in front of a terminal that can be drawn on, and did not ask for lines. */
const wantsScreen = ({ json, lines, kinds: only }: Options): boolean =>
  process.stdout.isTTY === true &&
  process.stdin.isTTY === true &&
  process.env["TERM"] !== "dumb" &&
  !json &&
  !lines &&
  only === undefined;

async function watch(options: Options): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => stop.abort());
  if (options.dir !== undefined && options.kinds !== undefined)
    throw usageError("--kinds is for one node; leave it out with --dir");
  if (options.dir !== undefined && (options.api ?? options.data) !== undefined)
    throw usageError("--dir names a cluster, --api and --data a node: give one of them");
  if (wantsScreen(options)) await showScreen(options, stop);
  else if (options.dir !== undefined) await showClusterLines(options, options.dir, stop);
  else await showLines(options, stop);
}

export function addWatch(program: Command): void {
  connected(program.command("watch"))
    .description(
      "see what happens as it happens, until interrupted: heads, fork tree and events on the whole terminal, or lines where there is none; goes on where it was when a node comes back",
    )
    .option("--dir <dir>", "all nodes of the cluster in this directory, in place of one node", path)
    .option("--lines", "lines also on a terminal; so it is in a pipe and with --json or --kinds")
    .option("--kinds <list>", `only these, apart by commas: ${KINDS.join(", ")}`, kinds)
    .addOption(timeOption("--retry <time>", "how long to try again when the node is away", "10m"))
    .addHelpText(
      "after",
      "\nExamples:\n  cumulo watch --dir .cumulo-cluster\n  cumulo watch --api http://127.0.0.1:7071\n  cumulo watch --kinds head,reorg --data ./node1\n\nKeys on the whole terminal: ? shows them, q quits.",
    )
    .action(watch);
}
