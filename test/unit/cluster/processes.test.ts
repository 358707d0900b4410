import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  endProcess,
  isAlive,
  pausedByPs,
  processStart,
  processState,
  signalProcess,
  startByPs,
} from "../../../src/cluster/processes.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";

describe("a process by its number and start", () => {
  it("is alive while it runs and gone afterwards", async (t) => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    t.after(() => child.kill("SIGKILL"));
    await once(child, "spawn");
    const pid = child.pid as number;
    const started = await processStart(pid);
    assert.ok(started !== undefined);
    assert.equal(await isAlive({ pid, started }), true);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    assert.equal(await isAlive({ pid, started }), false);
  });

  it("is signalled, seen paused, and asked to end although it is paused", async (t) => {
    const program =
      "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); console.log(1)";
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "ignore"] });
    t.after(() => child.kill("SIGKILL"));
    await once(child.stdout, "data");
    const pid = child.pid as number;
    const id = { pid, started: (await processStart(pid)) ?? "" };
    assert.deepEqual([await processState(id), await pausedByPs(pid)], ["running", false]);
    assert.equal(await signalProcess(id, "SIGSTOP"), true);
    await until("it is paused", async () => (await processState(id)) === "paused");
    assert.equal(await pausedByPs(pid), true);
    const other = { pid, started: "another start" };
    assert.deepEqual([await processState(other), await signalProcess(other, "SIGCONT")], ["gone", false]);
    assert.equal(await processState(id), "paused", "a number alone is not signalled");
    const ended = once(child, "exit");
    await endProcess(id, 10_000);
    assert.deepEqual(await ended, [7, null]);
    assert.deepEqual([await processState(id), await signalProcess(id, "SIGCONT")], ["gone", false]);
  });

  it("is not taken for gone by somebody who has no file descriptor left to look with", async (t) => {
    if (process.platform !== "linux") return t.skip("Linux looks into /proc");
    const module = new URL("../../../src/cluster/processes.ts", import.meta.url).href;
    const program = `
      const { isAlive } = await import(${JSON.stringify(module)});
      const { openSync } = await import("node:fs");
      try { for (;;) openSync("/dev/null"); } catch {}
      console.log(await isAlive({ pid: process.ppid, started: "then" }).catch(({ code }) => code));`;
    const child = spawn(
      "sh",
      ["-c", 'ulimit -n 100; exec "$0" --input-type=module -e "$1"', process.execPath, program],
      {
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    t.after(() => child.kill("SIGKILL"));
    const [output] = await once(child.stdout, "data");
    assert.equal(String(output), "CLUSTER_PROCESS_UNKNOWN\n");
  });

  it("by ps: one text whatever the language and time zone of who asks", async (t) => {
    const ps = join(await temporaryDirectory(t), "ps");
    await writeFile(ps, '#!/bin/sh\necho "$LC_ALL $TZ $*"\n', { mode: 0o755 });
    assert.equal(await startByPs(4711, ps), "C UTC -o lstart= -p 4711");
  });

  it("by ps: only its own word means gone; a ps that fails, is late or missing tells nothing", async (t) => {
    const ps = join(await temporaryDirectory(t), "ps");
    const says = (script: string) => writeFile(ps, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await says("exit 1");
    assert.equal(await startByPs(4711, ps), undefined);
    for (const script of ["echo 'no memory' >&2; exit 1", "exit 2", "kill -9 $$", "exit 0"]) {
      await says(script);
      const message = /^cannot tell whether process 4711 still runs: .*; try again$/;
      await assert.rejects(startByPs(4711, ps), { code: "CLUSTER_PROCESS_UNKNOWN", message }, script);
    }
    await assert.rejects(startByPs(4711, `${ps}-none`), { code: "CLUSTER_PROCESS_UNKNOWN" });
  });
});
