import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { fileProblem, readBounded } from "../files/index.ts";
import { MAX_PASSPHRASE_BYTES, type PassphraseSource } from "../keys/index.ts";
import { CliError, EXIT, failure, usageError } from "./failure.ts";

/** Where a person types and what they see: stderr, since stdout may be JSON for another program. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream;
}

/** Far more than the one line that counts; what is behind it, such as a note, does not. */
const MAX_FILE_BYTES = 64 * 1024;
const RULE = `1 to ${MAX_PASSPHRASE_BYTES} bytes of UTF-8 text`;

/** Of the text itself nothing is ever told. */
function isPassphrase(text: string): boolean {
  const bytes = Buffer.byteLength(text, "utf8");
  // U+FFFD is what bytes that are no text were read as: many files would be one passphrase. NUL nobody can type; it
  // stands in text of 16-bit characters, and in files that are no text.
  return bytes >= 1 && bytes <= MAX_PASSPHRASE_BYTES && !/[\ufffd\0]/.test(text);
}

/** The first line of a file, which may be a pipe. */
export async function readPassphrase(file: string): Promise<string> {
  let text: string;
  try {
    text = await readBounded(file, MAX_FILE_BYTES);
  } catch (error) {
    throw failure("FILE_UNREADABLE", `cannot read the passphrase file ${file}: ${fileProblem(error)}`);
  }
  // Neither a line's end nor the mark that some editors begin a file with was meant, or could be typed.
  const line = (text.split("\n", 1)[0] as string).replace(/^\ufeff/, "").replace(/\r$/, "");
  if (isPassphrase(line)) return line;
  throw failure("PASSPHRASE_INVALID", `${file} holds no passphrase: its first line must have ${RULE}`);
}

const NOTHING = "no passphrase was given; nothing was done";

/** One line from a terminal. It stands nowhere on the screen: the line editor writes into a stream that leads nowhere. */
async function askLine(question: string, { input, output }: Terminal): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const editor = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  try {
    return await new Promise<string>((resolve, reject) => {
      // Ctrl-C; Ctrl-D on an empty line, or a terminal that went away.
      editor.once("SIGINT", () => reject(new CliError("INTERRUPTED", EXIT.interrupted, NOTHING)));
      editor.once("close", () => reject(failure("PASSPHRASE_INVALID", NOTHING)));
      editor.once("line", resolve);
      output.write(question);
    });
  } finally {
    editor.close();
    output.write("\n");
  }
}

/** Asks a person; a new passphrase twice, because nobody sees what they type. */
export async function askPassphrase(
  what: string,
  { isNew, terminal }: { readonly isNew: boolean; readonly terminal: Terminal },
): Promise<string> {
  const line = await askLine(`${what}: `, terminal);
  if (!isPassphrase(line)) throw failure("PASSPHRASE_INVALID", `a passphrase must have ${RULE}`);
  if (isNew && (await askLine("the same again: ", terminal)) !== line)
    throw failure("PASSPHRASE_INVALID", "these were two different passphrases; nothing was done");
  return line;
}

/**
 * The passphrase of --passphrase-file, or typed where there is a terminal. Read when it is asked for, no sooner. `what` is
 * as in "the passphrase of alice".
 */
export function passphraseSource(
  { passphraseFile }: { readonly passphraseFile?: string },
  what: string,
  {
    isNew = false,
    option = "--passphrase-file",
    terminal = { input: process.stdin, output: process.stderr },
  }: { readonly isNew?: boolean; readonly option?: string; readonly terminal?: Terminal } = {},
): PassphraseSource {
  return async () => {
    if (passphraseFile !== undefined) return readPassphrase(passphraseFile);
    if (terminal.input.isTTY !== true)
      throw usageError(`${what} is needed; name a file that begins with it: ${option} FILE`);
    return askPassphrase(what, { isNew, terminal });
  };
}
