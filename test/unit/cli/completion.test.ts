import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { runCli } from "../../support/cli.ts";
import { createTempDir } from "../../support/temp-dir.ts";

type Shell = "bash" | "zsh" | "fish";

const has = (shell: Shell): boolean => spawnSync(shell, ["--version"]).status === 0;

/** Has a real shell complete the last of the words; what it offers. */
const COMPLETE: Readonly<Record<Shell, (file: string, words: readonly string[]) => string[]>> = {
  bash: (file, words) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const program = `source ${file}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _cumulo; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["--norc", "-c", program], { encoding: "utf8" }).split("\n");
  },
  zsh: (file, words) => {
    // Its completion system calls what was registered; only what would be put on the screen is caught instead.
    const line = words.map((word) => `'${word}'`).join(" ");
    const program = `source ${file}; compadd() { print -rl -- "$@" }; words=(${line}); CURRENT=${words.length}; eval "\${_comps[cumulo]}"`;
    const result = spawnSync("zsh", ["-f", "-c", program], { encoding: "utf8" });
    return result.stdout.split("\n");
  },
  fish: (file, words) => {
    const program = `source ${file}; complete -C "${words.join(" ")}"`;
    const text = execFileSync("fish", ["--no-config", "-c", program], { encoding: "utf8" });
    return text.split("\n").map((line) => line.split("\t")[0] ?? "");
  },
};

for (const shell of ["bash", "zsh", "fish"] as const)
  describe(`completion in ${shell}`, { skip: has(shell) ? false : `${shell} is not installed` }, () => {
    const complete = (...words: string[]): string[] => COMPLETE[shell](file, ["cumulo", ...words]);
    let file = "";
    let removeAll = async (): Promise<void> => {};
    before(async () => {
      const { path, remove } = await createTempDir();
      file = join(path, "completion");
      await writeFile(file, (await runCli(["completion", shell])).stdout);
      removeAll = remove;
    });
    after(() => removeAll());

    it("knows commands, also those below others", () => {
      assert.ok(complete("st").includes("status"));
      const below = complete("cluster", "");
      for (const command of ["up", "status", "kill"]) assert.ok(below.includes(command), command);
      assert.ok(!below.includes("reorgs"));
    });

    it("knows a command's options, also behind arguments and other options", () => {
      assert.ok(complete("account", "--h").includes("--history"));
      assert.ok(complete("account", "alice", "--json", "--h").includes("--history"));
      assert.ok(complete("cluster", "load", "--t").includes("--tps"));
    });

    it("tells commands of one name apart by what they are below of", () => {
      assert.ok(complete("cluster", "status", "--d").includes("--dir"));
      assert.ok(!complete("status", "--di").includes("--dir"));
    });

    it("leaves room for names of files where a file is meant, and offers options there where one is begun", () => {
      const offered = complete("cluster", "run", "");
      assert.ok(!offered.some((word) => word.startsWith("-")), offered.join(" "));
      assert.ok(complete("cluster", "run", "--re").includes("--report"));
    });

    it("offers what is below a command that also takes an argument", () => {
      assert.ok(complete("block", "inv").includes("invalidate"));
      assert.ok(complete("block", "12", "--j").includes("--json"));
    });
  });
