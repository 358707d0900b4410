import pino from "pino";
import { type Logger, terminalFormat } from "../ports/index.ts";
import { createLogOutput } from "./log-output.ts";

// One for the process, as its stderr is.
const output = createLogOutput(2);
process.on("exit", () => output.flushNow());

/** Structured logs on stderr, so that stdout stays for answers; readable lines only where a person looks on. */
export function createNodeLogger(level: string): Logger {
  const options: pino.LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (process.stderr.isTTY) {
    const format = { ...terminalFormat(process.env), destination: 2 };
    return pino({ ...options, transport: { target: "pino-pretty", options: format } });
  }
  return pino(options, output);
}
