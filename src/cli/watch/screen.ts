import { bestHead, type RecordedEntry, type RecordingModel } from "../../client/index.ts";
import { countOf, formatDuration } from "../output.ts";
import { drawTree, shortDigits } from "./fork-tree.ts";
import { type Format, type Line, type Piece, plain, toWidth, widthOf } from "./line.ts";

/** What is to be seen. */
export interface View {
  /** What is watched. */
  readonly title: string;
  readonly model: RecordingModel;
  readonly entries: readonly RecordedEntry[];
  /** Where nobody answers now, what is shown is what was heard last. */
  readonly isLost: boolean;
  readonly nowMs: number;
}

/** How it is looked at. */
export interface Looking {
  /** Entries from the newest back to the moment that is shown; undefined: live. */
  readonly pausedAt: number | undefined;
  /** Lines of events passed over, from the moment shown back. */
  readonly eventsBack: number;
  /** Heights passed over at the right of the tree. */
  readonly heightsBack: number;
  readonly isHelpOpen: boolean;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Below this there is no room for anything that helps. */
const LEAST: Size = { columns: 30, rows: 8 };

const HELP: readonly (readonly [keys: string, meaning: string])[] = [
  ["space", "pause, and go on live"],
  ["left right", "one event back or forth (pauses)"],
  ["up down", "older or newer events"],
  ["PgUp PgDn", "the same by ten"],
  ["[ ]", "lower or higher blocks of the tree"],
  ["Home End", "to the first event; live again"],
  ["?", "this help"],
  ["q Ctrl-C", "quit"],
];

const time = (ms: number): string => new Date(ms).toISOString().slice(11, 19);
const timeMs = (ms: number): string => new Date(ms).toISOString().slice(11, 23);
const piece = (text: string, format?: Format): Piece => ({ text, format });

/** The screen's lines, exactly as many and as long as it has. Pure. */
export function drawScreen(view: View, looking: Looking, size: Size): Line[] {
  const lines =
    size.columns < LEAST.columns || size.rows < LEAST.rows
      ? [[piece(`${size.columns}x${size.rows} is too small`)]]
      : looking.isHelpOpen
        ? drawHelp()
        : drawAll(view, looking, size);
  const filled = [...lines, ...Array.from({ length: size.rows }, (): Line => [])].slice(0, size.rows);
  return filled.map((line) => toWidth(line, size.columns));
}

function drawHelp(): Line[] {
  return [
    [piece("Keys", "bold")],
    [],
    ...HELP.map(([keys, meaning]): Line => [piece(keys.padEnd(12), "cyan"), piece(meaning)]),
    [],
    [piece("[1c02] is a node's head; green: the best branch; times are UTC", "dim")],
    [piece("any key goes back", "dim")],
  ];
}

function drawAll(view: View, looking: Looking, { columns, rows }: Size): Line[] {
  const { entries, model } = view;
  const { pausedAt } = looking;
  const shownEntries =
    pausedAt === undefined ? entries : entries.slice(0, Math.max(1, entries.length - pausedAt));
  // A paused moment is that of its event; live, what a node with a fast clock told counts too.
  const atMs = pausedAt === undefined ? Number.MAX_SAFE_INTEGER : (shownEntries.at(-1)?.timeMs ?? view.nowMs);
  const body = rows - 2;
  const nodes = drawNodes(view, atMs, shownEntries, columns).slice(0, Math.max(2, Math.floor(body / 3)));
  const tree = drawTree(model, atMs, {
    columns,
    rows: Math.max(2, Math.floor((body - nodes.length) / 2)),
    back: looking.heightsBack,
  });
  const left = body - nodes.length - tree.length;
  return [
    titleLine(view, atMs, pausedAt, columns),
    ...nodes,
    ...tree,
    ...drawEvents(view, shownEntries, looking.eventsBack, left),
    footerLine(view, atMs, columns),
  ];
}

function titleLine(view: View, atMs: number, pausedAt: number | undefined, columns: number): Line {
  const split = view.model.splitAt(atMs);
  const groups = split === null ? "" : `split ${split.groups.map((group) => group.join(",")).join(" | ")}`;
  const heads = new Set(
    view.model.nodes.flatMap(({ n }) => {
      const { head, state } = view.model.nodeAt(n, atMs);
      return head === undefined || state === "gone" ? [] : [head.id];
    }),
  );
  const agree = heads.size > 1 ? countOf(heads.size, "head") : heads.size === 1 ? "one head" : "no head yet";
  const left = [
    piece("cumulo ", "bold"),
    piece(agree, heads.size > 1 ? "yellow" : "green"),
    piece(groups === "" ? "" : `  ${groups}`, "yellow"),
    // Last, as it may be long.
    piece(`  ${plain(view.title)}`, "dim"),
  ];
  const now = view.isLost ? piece("NO ANSWER", "inverse") : piece(time(view.nowMs), "dim");
  const right = pausedAt === undefined ? now : piece(`PAUSED ${timeMs(atMs)}`, "inverse");
  return spread(left, [right], columns);
}

/** One at the left, one at the right, and the right one whole. */
function spread(left: Line, right: Line, columns: number): Line {
  const room = Math.max(0, columns - widthOf(right) - 1);
  return [...toWidth(left, room), piece(" "), ...right];
}

function footerLine({ model }: View, atMs: number, columns: number): Line {
  const told = model.reorgs.filter((reorg) => reorg.timeMs <= atMs);
  const last = told.at(-1);
  const reorgs =
    last === undefined
      ? "no reorg"
      : `${countOf(told.length, "reorg")}, last: node ${last.node} depth ${last.data.depth} at ${time(last.timeMs)}`;
  return spread([piece(reorgs, "dim")], [piece("? help  q quit", "dim")], columns);
}

/** A table of the nodes: where each stands, and since when. */
function drawNodes(view: View, atMs: number, entries: View["entries"], columns: number): Line[] {
  const { model } = view;
  const best = bestHead(model, atMs);
  const states = statesOf(entries);
  const width = Math.max(4, ...model.nodes.map(({ name }) => name.length + 1));
  const nameWidth = Math.min(width, Math.max(4, columns - 48));
  const head = `${"NODE".padEnd(nameWidth)} HEIGHT HEAD  BEHIND PENDING  SINCE    STATE`;
  return [
    [piece(head, "dim")],
    ...model.nodes.map(({ n, name }): Line => {
      const { head: at, mempool, state } = model.nodeAt(n, atMs);
      const behind = at === undefined || best === undefined ? undefined : best.height - at.height;
      const isSame = at?.index === best?.index;
      const since =
        at === undefined ? undefined : model.arrivals(at.index, atMs).find((one) => one.node === n)?.headerMs;
      const shown = states.get(n) === "paused" && state === "running" ? "paused" : state;
      return [
        piece(`${plain(name).padEnd(nameWidth)} `),
        piece(`${at?.height ?? "-"}`.padStart(6)),
        piece(` ${at === undefined ? "-   " : shortDigits(at.id)}`, isSame ? "green" : "yellow"),
        piece(`${isSame ? "" : (behind ?? "-")}`.padStart(8)),
        piece(`${mempool?.transactions ?? "-"}`.padStart(8)),
        piece(`  ${since === undefined ? "-" : time(since)}`.padEnd(11), "dim"),
        piece(plain(shown), shown === "running" ? "green" : "red"),
      ];
    }),
  ];
}

/** What the supervisor said last of each node: a paused one says nothing itself. */
function statesOf(entries: View["entries"]): Map<number, string> {
  const states = new Map<number, string>();
  for (const entry of entries)
    if (entry.node === null && entry.type === "node") states.set(entry.data.n, entry.data.state);
  return states;
}

function drawEvents(view: View, entries: readonly RecordedEntry[], back: number, rows: number): Line[] {
  // Headers come just before their blocks and would fill the list.
  const told: Line[] = [];
  let skipped = 0;
  for (let i = entries.length - 1; i >= 0 && told.length < rows; i--) {
    const entry = entries[i];
    if (entry === undefined || entry.type === "header") continue;
    if (skipped++ < back) continue;
    told.push(eventLine(view, entry));
  }
  return [...Array.from({ length: Math.max(0, rows - told.length) }, (): Line => []), ...told.reverse()];
}

const nameOf = ({ model }: Pick<View, "model">, peer: string): string => {
  const node = model.nodeOfPeer(peer);
  return node === undefined ? `…${plain(peer.slice(-6))}` : `node ${node}`;
};

/** One entry of a timeline. */
export function eventLine(view: Pick<View, "model">, entry: RecordedEntry): Line {
  const who = entry.node === null ? "cluster" : `node ${entry.node}`;
  return [piece(`${timeMs(entry.timeMs)} `, "dim"), piece(who.padEnd(8)), ...described(view, entry)];
}

function described(view: Pick<View, "model">, entry: RecordedEntry): Line {
  switch (entry.type) {
    case "start":
      return [piece("start   ", "cyan"), piece(`at ${entry.data.head.height}`)];
    case "stop":
      return [piece("stop    ", "yellow"), piece(plain(entry.data.reason))];
    case "head": {
      const { height, id } = entry.data;
      return [piece("head    ", "green"), piece(`${height} ${shortDigits(id)}`)];
    }
    case "header":
    case "block": {
      const { height, id, peer, via } = entry.data;
      const state =
        entry.type === "block"
          ? ` ${entry.data.state}${entry.data.rule === undefined ? "" : ` ${plain(entry.data.rule)}`}`
          : "";
      const from = peer === null ? via : `from ${nameOf(view, peer)} by ${via}`;
      return [piece(`${entry.type.padEnd(8)}${height} ${shortDigits(id)}${state} ${from}`)];
    }
    case "reorg": {
      const { depth, oldHead, newHead, forkPoint, durationMs } = entry.data;
      const text = `depth ${depth}, ${shortDigits(oldHead.id)} -> ${shortDigits(newHead.id)} from ${forkPoint.height}, ${formatDuration(durationMs)}`;
      return [piece("reorg   ", "yellow"), piece(text)];
    }
    case "peer": {
      const { peer, connected, reason } = entry.data;
      const gone = reason === null ? "gone" : `gone: ${plain(reason)}`;
      return [
        piece("peer    "),
        piece(`${nameOf(view, peer)} ${connected ? "connected" : gone}`, connected ? undefined : "red"),
      ];
    }
    case "link":
      return entry.node === null
        ? [
            piece("link    ", "yellow"),
            piece(`${entry.data.from} -> ${entry.data.to} ${entry.data.shape === null ? "whole" : "shaped"}`),
          ]
        : [piece("link    ", "yellow"), piece(`${nameOf(view, entry.data.peer)} ${entry.data.mode}`)];
    case "node":
      return [piece("node    ", "yellow"), piece(`${entry.data.n} ${plain(entry.data.state)}`)];
    case "split": {
      const groups = entry.data?.groups.map((group) => group.join(",")).join(" | ");
      return [piece(groups === undefined ? "healed" : `split   ${groups}`, "yellow")];
    }
  }
}
