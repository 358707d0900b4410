import pino from "pino";
import type { PrettyOptions } from "pino-pretty";
import type { Logger } from "../ports/index.ts";

/** One line an entry, between the lines that `node start` prints for people. */
export const terminalFormat = (env: Readonly<Record<string, string | undefined>>): PrettyOptions => ({
  colorize: env["NO_COLOR"] === undefined,
  singleLine: true,
  translateTime: "SYS:HH:MM:ss",
  messageFormat: "{if module}{module}: {end}{msg}",
  ignore: "pid,hostname,module",
});

/** Structured logs on stderr, so that stdout stays for answers; readable lines only where a person looks on. */
export function createNodeLogger(level: string): Logger {
  const options: pino.LoggerOptions = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (process.stderr.isTTY) {
    const format = { ...terminalFormat(process.env), destination: 2 };
    return pino({ ...options, transport: { target: "pino-pretty", options: format } });
  }
  return pino(options, pino.destination({ dest: 2, sync: false }));
}
