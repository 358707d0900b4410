import pino from "pino";
import type { Logger } from "../ports/index.ts";

/** Structured logs on stderr, so that stdout stays for answers; readable lines only where a person looks on. */
export function createNodeLogger(level: string): Logger {
  const options: pino.LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (process.stderr.isTTY) {
    const transport = { target: "pino-pretty", options: { destination: 2, ignore: "pid,hostname" } };
    return pino({ ...options, transport });
  }
  return pino(options, pino.destination({ dest: 2, sync: false }));
}
