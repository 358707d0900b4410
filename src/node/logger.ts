import pino from "pino";
import { type Logger, terminalFormat } from "../ports/index.ts";

/** Structured logs on stderr, so that stdout stays for answers; readable lines only where a person looks on. */
export function createNodeLogger(level: string): Logger {
  const options: pino.LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (process.stderr.isTTY) {
    const format = { ...terminalFormat(process.env), destination: 2 };
    return pino({ ...options, transport: { target: "pino-pretty", options: format } });
  }
  return pino(options, pino.destination({ dest: 2, sync: false }));
}
