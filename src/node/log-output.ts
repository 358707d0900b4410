import { write, writeSync } from "node:fs";

/** What waits for a reader that is slow, or for a disk that is full; lines beyond it are lost. */
const MAX_WAITING_CHARACTERS = 1024 * 1024;
/** A pipe that takes nothing at the moment is tried again after so long. */
const BUSY_MS = 100;

export interface LogOutput {
  write(line: string): void;
  /** Writes what waits, as far as that goes at once; for the end of the process. */
  flushNow(): void;
}

/**
 * Lines of a log to an open file, in order and without making anybody wait. A full disk or a reader that went away costs
 * lines, not the node: pino's own output would throw, and try for ever at the end of the process.
 */
export function createLogOutput(fd: number): LogOutput {
  let waiting = "";
  /** What was taken from `waiting` and is not written whole. */
  let begun: Uint8Array = new Uint8Array();
  let isBusy = false;
  /** A write is with the system; while it is not, and we are busy, the next one waits for its time. */
  let isUnderWay = false;

  function go(): void {
    if (begun.length === 0) {
      if (waiting === "") return;
      begun = Buffer.from(waiting);
      waiting = "";
    }
    isBusy = isUnderWay = true;
    write(fd, begun, 0, begun.length, null, (error, written) => {
      isUnderWay = false;
      if (error?.code === "EAGAIN") {
        setTimeout(go, BUSY_MS).unref();
        return;
      }
      isBusy = false;
      // Otherwise it is tried again with the next line.
      if (error !== null) return;
      begun = begun.subarray(written);
      go();
    });
  }

  return {
    write(line) {
      if (waiting.length + line.length > MAX_WAITING_CHARACTERS) return;
      waiting += line;
      if (!isBusy) go();
    },
    flushNow() {
      try {
        // What is on its way already ends by itself.
        if (!isUnderWay) writeSync(fd, begun);
        writeSync(fd, waiting);
      } catch {
        // Nobody is left to tell.
      }
      waiting = "";
    },
  };
}
