import type { ReadStream, WriteStream } from "node:tty";
import { type Line, render } from "./line.ts";

const ESCAPE = "\x1b";
const ENTER = `${ESCAPE}[?1049h${ESCAPE}[?25l${ESCAPE}[2J`;
const LEAVE = `${ESCAPE}[?25h${ESCAPE}[?1049l`;
/** A line that takes no more than this is behind; what is drawn then would come too late. */
const MAX_UNSENT_BYTES = 64 * 1024;
/** How long an escape waits for what makes a key of it: over a slow line the parts come apart. */
const ESCAPE_MS = 50;

export type Key =
  | "up"
  | "down"
  | "left"
  | "right"
  | "page-up"
  | "page-down"
  | "home"
  | "end"
  | "escape"
  | "interrupt"
  | "suspend"
  | (string & {});

const SEQUENCES: Readonly<Record<string, Key>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  "1~": "home",
  "4~": "end",
  "5~": "page-up",
  "6~": "page-down",
  "7~": "home",
  "8~": "end",
};

/** Turns what a terminal sends into keys. What is no key of ours is passed over. */
export function createKeyReader(onKey: (key: Key) => void): { push(text: string): void; flush(): void } {
  let rest = "";
  return {
    push(text) {
      rest += text;
      while (rest !== "") {
        if (rest.startsWith(ESCAPE)) {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's keys begin with one.
          const match = /^\x1b(?:\[([0-9;]*[@-~])|O([@-~]))/.exec(rest);
          if (match === null) {
            // An incomplete one may get its end; two in a row are two keys.
            if (/^.(?:\[[0-9;]*|O)?$/s.test(rest) && rest.length < 12) return;
            rest = rest.slice(1);
            onKey("escape");
            continue;
          }
          rest = rest.slice(match[0].length);
          const key = SEQUENCES[match[1] ?? match[2] ?? ""];
          if (key !== undefined) onKey(key);
          continue;
        }
        const character = rest[0] ?? "";
        rest = rest.slice(1);
        onKey(character === "\x03" ? "interrupt" : character === "\x1a" ? "suspend" : character);
      }
    },
    flush() {
      if (rest === "") return;
      rest = "";
      onKey("escape");
    },
  };
}

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  /** Shows a frame; only lines that differ from the last one are sent. */
  draw(lines: readonly Line[]): void;
  /** Gives the screen back for a while, as Ctrl-Z does, and takes it again when the process goes on. */
  suspend(): void;
  /** Gives the screen back as it was; calling it twice is harmless. */
  close(): void;
}

export interface TerminalOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly hasColours: boolean;
  readonly onKey: (key: Key) => void;
  readonly onResize: () => void;
  /** Nobody is there any more: the terminal was closed. */
  readonly onGone: () => void;
}

/**
 * A whole screen on a terminal, with the escapes that every one understands: the alternate screen, the cursor hidden and
 * placed, lines erased. It is given back however the process ends, SIGKILL apart.
 */
export function openTerminal(options: TerminalOptions): Terminal {
  const { input, output, hasColours } = options;
  let shown: string[] = [];
  let isOpen = false;
  const keys = createKeyReader(options.onKey);
  let escapeTimer: NodeJS.Timeout | undefined;

  function enter(): void {
    if (isOpen) return;
    isOpen = true;
    shown = [];
    input.setRawMode(true);
    input.resume();
    output.write(ENTER);
  }
  function leave(): void {
    if (!isOpen) return;
    isOpen = false;
    clearTimeout(escapeTimer);
    try {
      output.write(LEAVE);
      input.setRawMode(false);
      input.pause();
    } catch {
      // The terminal is gone, and with it what was to be given back.
    }
  }
  const onData = (data: Buffer | string): void => {
    clearTimeout(escapeTimer);
    keys.push(data.toString());
    escapeTimer = setTimeout(keys.flush, ESCAPE_MS);
  };
  const onResize = (): void => {
    shown = [];
    if (isOpen) output.write(`${ESCAPE}[2J`);
    options.onResize();
  };
  const onContinue = (): void => {
    enter();
    options.onResize();
  };
  // Before Node.js writes why it ends: on the alternate screen nobody would read it.
  process.on("uncaughtExceptionMonitor", leave);
  process.on("exit", leave);
  process.on("SIGCONT", onContinue);
  input.on("data", onData);
  for (const event of ["end", "close", "error"]) input.on(event, options.onGone);
  output.on("error", options.onGone);
  output.on("resize", onResize);
  enter();

  return {
    get columns() {
      return output.columns || 80;
    },
    get rows() {
      return output.rows || 24;
    },
    draw(lines) {
      if (!isOpen || output.writableLength > MAX_UNSENT_BYTES) return;
      let text = "";
      for (const [i, line] of lines.entries()) {
        const next = render(line, hasColours);
        if (shown[i] === next) continue;
        text += `${ESCAPE}[${i + 1};1H${next}`;
      }
      shown = lines.map((line) => render(line, hasColours));
      if (text !== "") output.write(text);
    },
    suspend() {
      leave();
      process.kill(process.pid, "SIGTSTP");
    },
    close() {
      leave();
      process.off("uncaughtExceptionMonitor", leave);
      process.off("exit", leave);
      process.off("SIGCONT", onContinue);
      input.off("data", onData);
      for (const event of ["end", "close", "error"]) input.off(event, options.onGone);
      output.off("resize", onResize);
    },
  };
}
