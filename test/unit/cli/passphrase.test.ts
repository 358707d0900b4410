import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { askPassphrase, passphraseSource, readPassphrase } from "../../../src/cli/passphrase.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

/** A terminal whose person types `answers`, each as soon as it is asked for it, and what is to be seen on it. */
function createTerminal(...answers: readonly string[]) {
  const rest = [...answers];
  const input = Object.assign(new PassThrough(), { isTTY: true });
  const output = new PassThrough();
  let seen = "";
  output.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
    if (text.endsWith(": ")) input.write(rest.shift() ?? "");
  });
  return { input, output, seen: () => seen };
}

describe("a passphrase that is typed", () => {
  const what = "the passphrase of alice";

  it("is not to be seen, and the question is", async () => {
    const terminal = createTerminal("correct horse\r");
    assert.equal(await askPassphrase(what, { isNew: false, terminal }), "correct horse");
    assert.equal(terminal.seen(), "the passphrase of alice: \n");
  });

  it("can be mended while it is typed, and has spaces and letters of any script", async () => {
    const terminal = createTerminal(" pä\u007f\u007fferd x\r");
    assert.equal(await askPassphrase(what, { isNew: false, terminal }), " ferd x");
  });

  it("is asked for twice where it is new, and two different ones are none", async () => {
    assert.equal(await askPassphrase(what, { isNew: true, terminal: createTerminal("a\r", "a\r") }), "a");
    const terminal = createTerminal("secret one\r", "secret two\r");
    await assert.rejects(askPassphrase(what, { isNew: true, terminal }), {
      code: "PASSPHRASE_INVALID",
      exitCode: 1,
      message: "these were two different passphrases; nothing was done",
    });
    assert.equal(terminal.seen(), "the passphrase of alice: \nthe same again: \n");
  });

  it("cannot be empty or longer than 1024 bytes", async () => {
    for (const text of ["", "x".repeat(1_025)])
      await assert.rejects(askPassphrase(what, { isNew: false, terminal: createTerminal(`${text}\r`) }), {
        code: "PASSPHRASE_INVALID",
        message: "a passphrase must have 1 to 1024 bytes of UTF-8 text",
      });
  });

  it("ends with 130 at Ctrl-C, and with 1 where the terminal ends", async () => {
    const ask = (key: string) => askPassphrase(what, { isNew: false, terminal: createTerminal(key) });
    await assert.rejects(ask("abc\u0003"), { code: "INTERRUPTED", exitCode: 130 });
    await assert.rejects(ask("\u0004"), { code: "PASSPHRASE_INVALID", exitCode: 1 });
  });

  it("is asked for only where no file is named and there is a terminal", async (t) => {
    const file = join(await temporaryDirectory(t), "passphrase");
    await writeFile(file, "from the file\n");
    const terminal = createTerminal("typed\r");
    assert.equal(await passphraseSource({ passphraseFile: file }, what, { terminal })(), "from the file");
    assert.equal(terminal.seen(), "");
    assert.equal(await passphraseSource({}, what, { terminal })(), "typed");
    const pipe = { input: new PassThrough(), output: new PassThrough() };
    await assert.rejects(passphraseSource({}, what, { terminal: pipe })(), {
      exitCode: 2,
      message: /^the passphrase of alice is needed; .*--passphrase-file FILE$/,
    });
  });
});

describe("a passphrase file", () => {
  it("counts with its first line, without the line's end", async (t) => {
    const file = join(await temporaryDirectory(t), "passphrase");
    for (const [text, passphrase] of [
      ["secret", "secret"],
      ["secret\n", "secret"],
      ["secret\r\n", "secret"],
      ["secret\nand a note\n", "secret"],
      [" secret \t\n", " secret \t"],
      ["s\recret\n", "s\recret"],
      ["\ufeffsecret\r\n", "secret"],
      ["ä".repeat(512), "ä".repeat(512)],
    ] as const) {
      await writeFile(file, text);
      assert.equal(await readPassphrase(file), passphrase);
    }
  });

  it("without a passphrase in it is refused, and nothing of it is quoted", async (t) => {
    const file = join(await temporaryDirectory(t), "passphrase");
    const noText = [Buffer.from("73ff63", "hex"), Buffer.from("secret\n", "utf16le")];
    for (const content of ["", "\n", "\r\n", "\nsecret", "ä".repeat(513), ...noText]) {
      await writeFile(file, content);
      await assert.rejects(readPassphrase(file), {
        code: "PASSPHRASE_INVALID",
        message: `${file} holds no passphrase: its first line must have 1 to 1024 bytes of UTF-8 text`,
      });
    }
    await assert.rejects(readPassphrase(`${file}-not`), {
      code: "FILE_UNREADABLE",
      message: /does not exist/,
    });
  });
});
