import type { ReadStream, WriteStream } from "node:tty";
import { drawScreen, type Looking, type View } from "./screen.ts";
import { type Key, openTerminal } from "./terminal.ts";

/** Frames a second at most: more than a slow line takes helps nobody. */
const FRAME_MS = 100;
/** Ages and the clock move on also while nothing happens. */
const TICK_MS = 1_000;
const PAGE = 10;

const LIVE: Looking = { pausedAt: undefined, eventsBack: 0, heightsBack: 0, isHelpOpen: false };

/** Where a key leads; `entries`: how many there are. */
export function afterKey(looking: Looking, key: Key, entries: number): Looking {
  if (looking.isHelpOpen) return { ...looking, isHelpOpen: false };
  const last = Math.max(0, entries - 1);
  const step = (by: number): Looking => {
    const pausedAt = Math.min(last, Math.max(0, (looking.pausedAt ?? 0) + by));
    return { ...looking, pausedAt, eventsBack: 0 };
  };
  const scroll = (by: number): Looking => ({
    ...looking,
    eventsBack: Math.min(last, Math.max(0, looking.eventsBack + by)),
  });
  switch (key) {
    case "?":
    case "h":
      return { ...looking, isHelpOpen: true };
    case " ":
      return looking.pausedAt === undefined ? { ...looking, pausedAt: 0 } : LIVE;
    case "left":
      return step(1);
    case "right":
      return step(-1);
    case "up":
      return scroll(1);
    case "down":
      return scroll(-1);
    case "page-up":
      return scroll(PAGE);
    case "page-down":
      return scroll(-PAGE);
    case "[":
      return { ...looking, heightsBack: looking.heightsBack + 1 };
    case "]":
      return { ...looking, heightsBack: Math.max(0, looking.heightsBack - 1) };
    case "home":
      return step(entries);
    case "end":
    case "escape":
      return LIVE;
    default:
      return looking;
  }
}

export interface AppOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly hasColours: boolean;
  readonly view: () => View;
  /** The user, or the loss of the terminal, ends it. */
  readonly onQuit: () => void;
}

/** Shows a view on a terminal until it is closed; `changed` is to be called when there is something new to be seen. */
export function openApp(options: AppOptions): { changed(): void; close(): void } {
  let looking = LIVE;
  let drawTimer: NodeJS.Timeout | undefined;
  /** Place of the entry that is paused at: it stays while newer ones come and the oldest go. */
  let pausedPlace: number | undefined;

  function settle(entries: View["entries"]): void {
    if (pausedPlace === undefined) return;
    const wanted = pausedPlace;
    const i = entries.findIndex(({ place }) => place >= wanted);
    looking = { ...looking, pausedAt: i === -1 ? 0 : entries.length - 1 - i };
  }
  function draw(): void {
    drawTimer = undefined;
    const view = options.view();
    const { entries } = view;
    settle(entries);
    terminal.draw(drawScreen(view, looking, { columns: terminal.columns, rows: terminal.rows }));
  }
  const changed = (): void => {
    drawTimer ??= setTimeout(draw, FRAME_MS);
  };
  function onKey(key: Key): void {
    if (key === "q" || key === "interrupt") {
      options.onQuit();
      return;
    }
    if (key === "suspend") {
      terminal.suspend();
      return;
    }
    const { entries } = options.view();
    settle(entries);
    looking = afterKey(looking, key, entries.length);
    const { pausedAt } = looking;
    pausedPlace = pausedAt === undefined ? undefined : entries[entries.length - 1 - pausedAt]?.place;
    clearTimeout(drawTimer);
    draw();
  }
  const terminal = openTerminal({ ...options, onKey, onResize: changed, onGone: options.onQuit });
  const ticker = setInterval(changed, TICK_MS);
  draw();
  return {
    changed,
    close() {
      clearTimeout(drawTimer);
      clearInterval(ticker);
      terminal.close();
    },
  };
}
