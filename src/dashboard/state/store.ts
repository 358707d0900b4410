import { createRecording, type RecordingModel } from "../../client/index.ts";

/** How the page stands to what it shows. */
export type Connection =
  | { readonly state: "connecting" }
  | { readonly state: "live" }
  /** The node or supervisor is away; it is asked again by itself. */
  | { readonly state: "lost"; readonly message: string }
  /** A recording in a file: nothing more will come. */
  | { readonly state: "recorded" };

/** What the page is served by. */
export interface Served {
  /** Of a cluster the supervisor serves the page, and the nodes are below `/nodes/{n}`. */
  readonly kind: "cluster" | "node" | "report";
  readonly name: string;
}

/** What panels show; a new object whenever something in it changed. */
export interface Moment {
  readonly model: RecordingModel;
  readonly version: number;
  /** The moment that is shown, ms. */
  readonly timeMs: number;
  /** Whether that is now, and goes on. */
  readonly isLive: boolean;
  /** How many times as fast as it happened it is played; 0: it stands. */
  readonly speed: number;
  readonly connection: Connection;
  readonly served: Served;
  readonly hasToken: boolean;
  /** By node, what it says is pending now; of one that does not answer nothing. */
  readonly pending: ReadonlyMap<number, Pending>;
}

export interface Pending {
  readonly transactions: number;
  readonly bytes: number;
}

/** What was pending at a node: now by its own word, once it is there; at any other moment as it was at the last head before. */
export function pendingAt(moment: Moment, n: number): Pending | undefined {
  const { isLive, connection, pending, model, timeMs } = moment;
  const now = isLive && connection.state === "live" ? pending.get(n) : undefined;
  return now ?? model.nodeAt(n, timeMs).mempool;
}

export interface Store {
  readonly model: RecordingModel;
  moment(): Moment;
  /** Panels: told at most some eight times a second while time runs. Returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** Canvases: called for each frame in which anything changed. */
  onFrame(listener: () => void): () => void;
  /** The moment shown now, also between two notices to panels. */
  timeMs(): number;
  /** Shows a moment and stays there; null: goes on live. */
  seek(timeMs: number | null): void;
  /** Plays from the shown moment on, or stops with 0. */
  play(speed: number): void;
  set(change: Partial<Pick<Moment, "connection" | "served" | "hasToken" | "pending">>): void;
  /** The model has changed. */
  touch(): void;
}

/** Panels are for reading; more often they would only flicker, and cost what the tree needs. */
const PANEL_MS = 120;

/** One recording, one moment of it, and who is told when either changes: once a frame, however much happened. */
export function createStore(): Store {
  const model = createRecording();
  const panels = new Set<() => void>();
  const frames = new Set<() => void>();
  let cursorMs: number | null = null;
  let speed = 0;
  let lastFrameMs: number | undefined;
  let lastPanelMs = 0;
  let isAsked = false;
  let isPanelDue = false;
  let rest: Pick<Moment, "connection" | "served" | "hasToken" | "pending"> = {
    connection: { state: "connecting" },
    served: { kind: "node", name: "" },
    hasToken: false,
    pending: new Map(),
  };
  const shownMs = (): number => Math.min(cursorMs ?? model.endMs, model.endMs);
  const build = (): Moment => ({
    model,
    version: model.version,
    timeMs: shownMs(),
    isLive: cursorMs === null,
    speed,
    ...rest,
  });
  let moment = build();

  function frame(nowMs: number): void {
    isAsked = false;
    if (speed > 0 && cursorMs !== null) {
      cursorMs += speed * Math.min(nowMs - (lastFrameMs ?? nowMs), 250);
      if (cursorMs >= model.endMs) {
        // At the end of what has happened, playing goes over into what happens.
        speed = 0;
        cursorMs = rest.connection.state === "recorded" ? model.endMs : null;
      }
      isPanelDue = true;
    }
    lastFrameMs = nowMs;
    for (const listener of frames) listener();
    if (isPanelDue && nowMs - lastPanelMs >= PANEL_MS) {
      isPanelDue = false;
      lastPanelMs = nowMs;
      moment = build();
      for (const listener of panels) listener();
    }
    if (speed > 0 || isPanelDue) ask();
    else lastFrameMs = undefined;
  }

  function ask(): void {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(frame);
  }

  function changed(): void {
    isPanelDue = true;
    ask();
  }

  return {
    model,
    moment: () => moment,
    subscribe(listener) {
      panels.add(listener);
      return () => panels.delete(listener);
    },
    onFrame(listener) {
      frames.add(listener);
      return () => frames.delete(listener);
    },
    timeMs: shownMs,
    seek(timeMs) {
      cursorMs = timeMs === null ? null : Math.max(model.startMs, Math.min(timeMs, model.endMs));
      if (timeMs === null) speed = 0;
      changed();
    },
    play(next) {
      speed = next;
      // From the very end there is nothing to play but all of it.
      if (next > 0 && (cursorMs === null || cursorMs >= model.endMs)) cursorMs = model.startMs;
      if (next === 0) cursorMs ??= model.endMs;
      changed();
    },
    set(change) {
      rest = { ...rest, ...change };
      changed();
    },
    touch: changed,
  };
}
