import { constants, fstatSync, openSync, write, writeSync } from "node:fs";

/** What waits for a reader that is slow, or for a disk that is full; lines beyond it are lost. */
const MAX_WAITING_CHARACTERS = 1024 * 1024;
/** A pipe that takes nothing at the moment is tried again after so long. */
const BUSY_MS = 100;
/** At the end of the process a pipe that takes nothing is waited for so long. */
const LAST_WAIT_MS = 200;
const LAST_RETRY_MS = 5;

export interface LogOutput {
  write(line: string): void;
  /** Writes what waits, as far as that goes at once; for the end of the process. */
  flushNow(): void;
}

/**
 * Lines of a log to an open file, in order and without making anybody wait. A full disk or a reader that went away costs
 * lines, not the node: pino's own output would throw, and try for ever at the end of the process.
 */
export function createLogOutput(ofProcess: number): LogOutput {
  const fd = withoutBlocking(ofProcess);
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
        const rest = Buffer.from(waiting);
        writeLast(fd, isUnderWay ? rest : Buffer.concat([begun, rest]));
      } catch {
        // Nobody is left to tell.
      }
      waiting = "";
    },
  };
}

/**
 * A pipe or terminal that nobody reads would hold the write, and with it the process at its end; one that we open anew
 * says that it is full. Only ours: whoever shares the old one may count on waiting. Linux alone opens one anew.
 */
function withoutBlocking(fd: number): number {
  try {
    const about = fstatSync(fd);
    if (!about.isFIFO() && !about.isCharacterDevice()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}

function writeLast(fd: number, bytes: Uint8Array): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const untilMs = performance.now() + LAST_WAIT_MS;
  for (let rest = bytes; rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN" || performance.now() > untilMs) throw error;
      Atomics.wait(pause, 0, 0, LAST_RETRY_MS);
    }
  }
}
