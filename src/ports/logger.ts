import type { PrettyOptions } from "pino-pretty";

/** Fields of one log line; values are plain data, never raw bytes from the network. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured logging: a constant message, the data in fields. Pino fits it as it is. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to every line; one per module. */
  child(fields: LogFields): Logger;
}

const ignore = (): void => {};

/** Says nothing. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
};

/** How entries read for people, wherever they are shown: one line each. */
export const terminalFormat = (env: Readonly<Record<string, string | undefined>>): PrettyOptions => ({
  colorize: env["NO_COLOR"] === undefined,
  singleLine: true,
  translateTime: "SYS:HH:MM:ss",
  messageFormat: "{if module}{module}: {end}{msg}",
  ignore: "pid,hostname,module",
});
