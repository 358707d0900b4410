import { CommanderError } from "commander";
import { fileProblem } from "../files/index.ts";

/** Exit codes of every command. */
export const EXIT = { ok: 0, failed: 1, usage: 2, timedOut: 3, interrupted: 130 } as const;

/** A command that cannot go on, as its user should read it: one line, and the exit code. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly exitCode: number;
  readonly details: Readonly<Record<string, unknown>>;
  constructor(
    code: string,
    exitCode: number,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** A value that is not allowed; the message names it and says what is. */
export const usageError = (message: string): CliError => new CliError("USAGE", EXIT.usage, message);
export const timeoutError = (message: string, details?: Readonly<Record<string, unknown>>): CliError =>
  new CliError("TIMED_OUT", EXIT.timedOut, message, details);
export const failure = (
  code: string,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): CliError => new CliError(code, EXIT.failed, message, details);

interface Told {
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly exitCode: number;
}

// Codes of other rooms that mean "the user typed something that cannot be", not "it failed".
const USAGE_CODES = new Set([
  "KEY_NAME_INVALID",
  "REQUEST_INVALID",
  "ADDRESS_INVALID",
  "PEER_INVALID",
  "NETWORK_ADDRESS_INVALID",
  "NODE_ADDRESS_INVALID",
  "NODE_PRUNE_TOO_SHALLOW",
]);
const TIMEOUT_CODES = new Set(["API_TIMEOUT", "MINING_TIMEOUT"]);

/** On one line, and without the control characters of files and answers that are not ours. */
const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, " ").replace(/[\p{Cc}\ufffd]/gu, "?");

/** What commander calls an error, as the others are told. */
function tellUsage(error: CommanderError): Told {
  const text = oneLine(error.message.replace(/^error: /, ""));
  // What is invalid says what is allowed; of what is unknown or missing the help tells.
  const message = error.code === "commander.invalidArgument" ? text : `${text}; --help tells what there is`;
  return { code: "USAGE", message, details: {}, exitCode: EXIT.usage };
}

/** Any thrown thing as one line with a code; never a stack. */
function tell(error: unknown): Told {
  if (error instanceof CommanderError) return tellUsage(error);
  const { syscall, path } = error as NodeJS.ErrnoException;
  if (syscall !== undefined && path !== undefined) {
    return tell(failure("FILE_UNUSABLE", `cannot use ${path}: ${fileProblem(error)}`));
  }
  const { code, message, details, exitCode } = error as Partial<CliError>;
  const known = typeof code === "string" && /^[A-Z][A-Z0-9_-]*$/.test(code);
  return {
    code: known ? code : "INTERNAL",
    message: oneLine(message ?? String(error)),
    details: details ?? {},
    exitCode:
      exitCode ??
      (known && USAGE_CODES.has(code)
        ? EXIT.usage
        : known && TIMEOUT_CODES.has(code)
          ? EXIT.timedOut
          : EXIT.failed),
  };
}

/** Prints what a command ended with, where that is no success, and gives the exit code. The one form of all errors. */
export function report(error: unknown, json: boolean): number {
  // Help and version were asked for; commander has printed them, and throws to end the command.
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  if (error instanceof CommanderError && error.code === "commander.help") return EXIT.usage;
  const { code, message, details, exitCode } = tell(error);
  const text = json ? JSON.stringify({ code, message, details }) : `cumulo: ${message}`;
  process.stderr.write(`${text}\n`);
  return exitCode;
}

/**
 * Says what becomes of the process when its output cannot be written; the last call counts. `cumulo watch | head` ends
 * the output early, which is no failure and comes without an error; a full disk is one.
 */
export function onLostOutput(then: (error: CliError | undefined) => void): void {
  process.stdout.removeAllListeners("error");
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    then(
      error.code === "EPIPE"
        ? undefined
        : failure("OUTPUT_LOST", `cannot write the output: ${fileProblem(error)}`),
    ),
  );
}
