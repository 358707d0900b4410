/** `cumulo watch` on the whole terminal, on a real one. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type ClusterClient, createClusterClient, stopCluster } from "../../src/cluster/index.ts";
import { runCli } from "../support/cli.ts";
import { noPty, type PtyProcess, spawnOnPty } from "../support/pty.ts";
import { createTempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const terminalModule = new URL("../../src/cli/watch/terminal.ts", import.meta.url).href;
const node = [process.execPath, "--disable-warning=ExperimentalWarning"];

describe("watch on a terminal", { skip: noPty() }, () => {
  let directory = "";
  let remove = async (): Promise<void> => {};
  let cluster: ClusterClient;
  before(async () => {
    const temporary = await createTempDir();
    remove = temporary.remove;
    directory = join(temporary.path, "cluster");
    const up = await runCli(["cluster", "up", "--nodes", "3", "--log-level", "warn", "--dir", directory]);
    assert.equal(up.code, 0, up.stderr);
    cluster = await createClusterClient(directory);
  });
  after(async () => {
    await stopCluster(directory).catch(() => {});
    await remove();
  });
  const mine = (n: number, count: number) => cluster.node(n).mining({ mode: "blocks", count });

  async function watch(
    t: TestContext,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<PtyProcess> {
    const pty = await spawnOnPty([...node, main, "watch", ...args], { columns: 120, rows: 40, env });
    t.after(() => pty.close());
    await shows(pty, /^cumulo /);
    return pty;
  }
  const shows = (pty: PtyProcess, what: RegExp): Promise<unknown> =>
    until(`the screen shows ${what}`, async () => what.test(pty.screen().join("\n")), 20_000);

  it("shows a fork as it grows and as it ends, fits a small window, goes back in time, and gives the screen back", async (t) => {
    const pty = await watch(t, ["--dir", directory]);
    assert.ok(pty.isAlternate && !pty.isCursorVisible);
    await mine(1, 1);
    await shows(pty, /one head/);
    await shows(pty, /node 3 +1 /);
    await cluster.split([[1], [2, 3]]);
    await mine(1, 1);
    await mine(2, 2);
    await shows(pty, /^cumulo 2 heads {2}split 1 \| 2,3 /);
    await shows(pty, /\[[0-9a-f]{4}\] 1\n.*\[[0-9a-f]{4}\] 2 3\n/);
    await shows(pty, /node 1 +2 [0-9a-f]{4} +1 /);
    await cluster.heal();
    await shows(pty, /reorg {3}depth 1/);
    await shows(pty, /one head/);
    await shows(pty, /1 reorg, last: node 1 depth 1/);

    pty.resize(60, 20);
    await until(
      "it fits",
      async () => pty.screen().every((line) => line.length <= 60) && /q quit$/.test(pty.screen()[19] ?? ""),
      10_000,
    );
    assert.match(pty.screen()[0] ?? "", /one head/);
    assert.match(pty.screen().join("\n"), /\[[0-9a-f]{4}\] 1 2 3/);

    pty.type(" ");
    await shows(pty, /PAUSED/);
    await until(
      "steps back lead to the fork",
      async () => {
        if (/2 heads/.test(pty.screen()[0] ?? "")) return true;
        pty.type("\x1b[D");
        return false;
      },
      20_000,
    );
    assert.match(pty.screen()[0] ?? "", /2 heads.*PAUSED/);
    pty.type("?");
    await shows(pty, /any key goes back/);
    pty.type("x\x1bOF");
    await shows(pty, /one head(?!.*PAUSED)/);

    pty.type("q");
    assert.equal(await pty.ended, 0);
    assert.ok(!pty.isAlternate && pty.isCursorVisible && pty.echoes());
  });

  it("a signal and Ctrl-C end it as q does; without colours there are none", async (t) => {
    for (const end of ["SIGTERM", "SIGHUP", "\x03"] as const) {
      const pty = await watch(t, ["--dir", directory], { NO_COLOR: "1" });
      if (end === "\x03") pty.type(end);
      else process.kill(pty.pid(), end);
      assert.equal(await pty.ended, 0, end);
      assert.ok(!pty.isAlternate && pty.isCursorVisible && pty.echoes(), end);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: no colour is set, ever.
      assert.doesNotMatch(pty.output, /\x1b\[[0-9;]*m/);
    }
  });

  it("one node alone can be watched too, and lines are had for the asking", async (t) => {
    const { api } = (await cluster.info()).nodes[0] ?? { api: "" };
    const pty = await watch(t, ["--api", api]);
    await shows(pty, /^cumulo one head {2}http:/);
    await mine(1, 1);
    await shows(pty, /head +\d+ [0-9a-f]{4}/);
    const lines = await spawnOnPty([...node, main, "watch", "--dir", directory, "--lines"], {
      columns: 80,
      rows: 24,
    });
    t.after(() => lines.close());
    await until(
      "lines come",
      async () => {
        await mine(1, 1);
        return /node 1 .*head/.test(lines.output);
      },
      20_000,
    );
    assert.ok(!lines.output.includes("\x1b[?1049h"));
  });

  it("where no node answers, it says so and takes no screen", async (t) => {
    const pty = await spawnOnPty([...node, main, "watch", "--api", "http://127.0.0.1:9"], {
      columns: 80,
      rows: 24,
    });
    t.after(() => pty.close());
    assert.equal(await pty.ended, 1);
    assert.match(pty.output, /cumulo: no node answers at http:\/\/127\.0\.0\.1:9/);
    assert.ok(!pty.output.includes("\x1b[?1049h"));
  });

  it("a crash gives the screen back before it says what happened", async (t) => {
    const program = `
      const { openTerminal } = await import(${JSON.stringify(terminalModule)});
      const nothing = () => {};
      openTerminal({ input: process.stdin, output: process.stdout, hasColours: false, onKey: nothing, onResize: nothing, onGone: nothing })
        .draw([[{ text: "drawn" }]]);
      setTimeout(() => { throw new Error("a bug of ours"); }, 10);`;
    const pty = await spawnOnPty([...node, "--input-type=module", "-e", program], { columns: 80, rows: 24 });
    t.after(() => pty.close());
    assert.equal(await pty.ended, 1);
    assert.ok(!pty.isAlternate && pty.isCursorVisible && pty.echoes());
    assert.ok(
      pty.output.indexOf("a bug of ours") > pty.output.indexOf("\x1b[?1049l"),
      "on the screen that stays",
    );
    assert.ok(pty.output.includes("drawn"));
  });
});
