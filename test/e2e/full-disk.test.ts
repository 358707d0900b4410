import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createClient } from "../../src/client/index.ts";
import { runCli } from "../support/cli.ts";
import { poll } from "../support/daemon.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Why there can be no file system of our own here; false where there can be one. */
function obstacle(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "a small file system takes root on Linux";
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tmpfs", tmpdir()], { stdio: "ignore" });
    execFileSync("nsenter", ["--version"], { stdio: "ignore" });
    return false;
  } catch {
    return "this root may make no mount namespace";
  }
}

/** A file system of a few MiB that only the processes started in it see, and that goes with them. */
async function smallDisk(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "cumulo-full-"));
  const children: ChildProcess[] = [];
  t.after(async () => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    await rm(directory, { recursive: true, force: true });
  });
  const script = `mount -t tmpfs -o size=24m tmpfs "$0" && echo ready && exec cat`;
  const holder = spawn("unshare", ["-m", "sh", "-c", script, directory], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(holder);
  await once(holder.stdout, "data");
  /** The directory as it is in there. */
  const inside = `/proc/${holder.pid}/root${directory}`;
  return {
    inside,
    start() {
      const args = ["-t", String(holder.pid), "-m", process.execPath, MAIN, "node", "start"];
      args.push(
        "--data",
        join(directory, "node"),
        "--api",
        "127.0.0.1:0",
        "--listen",
        "/ip4/127.0.0.1/tcp/0",
      );
      const child = spawn("nsenter", args, { stdio: ["ignore", "ignore", "pipe"] });
      children.push(child);
      let log = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
      return { child, log: () => log };
    },
    async client(child: ChildProcess) {
      const api = await poll("the node answers", async () => {
        const note = JSON.parse(await readFile(join(inside, "node/node.json"), "utf8"));
        return note.pid === child.pid && (note.api as string);
      });
      const token = (await readFile(join(inside, "node/api-token"), "utf8")).trim();
      return createClient({ url: api, token });
    },
  };
}

test("case 35: on a full disk a node stops with a code and a sentence, and goes on once there is room", {
  skip: obstacle(),
}, async (t) => {
  const disk = await smallDisk(t);
  const first = disk.start();
  const client = await disk.client(first.child);
  const acknowledged = (await client.mining({ mode: "blocks", count: 3 })).blocks;
  const { findings } = await client.doctor();
  assert.ok(findings.some(({ code, severity }) => code === "DISK_FULL" && severity === "problem"));
  const ballast = join(disk.inside, "ballast");
  for (const size of [1024 * 1024, 4096, 1])
    for (let isFull = false; !isFull; )
      await appendFile(ballast, Buffer.alloc(size)).catch((error: NodeJS.ErrnoException) => {
        assert.equal(error.code, "ENOSPC");
        isFull = true;
      });
  const ended = once(first.child, "exit");
  for (let isOver = false; !isOver; ) {
    await client.mining({ mode: "blocks", count: 50 }).then(
      ({ blocks }) => acknowledged.push(...blocks),
      () => {
        isOver = true;
      },
    );
  }
  assert.deepEqual(await ended, [1, null], first.log());
  const lastLine = (log: string): string => log.trimEnd().split("\n").at(-1) ?? "";
  assert.match(
    lastLine(first.log()),
    /^cumulo: the chain stopped: .*make room on the disk.* \(STORE_FULL\)$/,
  );
  const full = disk.start();
  assert.deepEqual(await once(full.child, "exit"), [1, null], full.log());
  assert.match(lastLine(full.log()), /^cumulo: .*(the disk is full|make room)/);

  const doctor = await runCli(["doctor", "--data", join(disk.inside, "node")]);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /has 0 MiB left \(DISK_FULL\)/);

  await rm(ballast);
  const again = disk.start();
  const after = await disk.client(again.child);
  for (const id of acknowledged) assert.equal((await after.block(id)).state, "best");
  const { items } = await after.tips();
  assert.ok(items.every(({ state }) => state !== "invalid"));
  assert.equal((await after.mining({ mode: "blocks", count: 2 })).blocks.length, 2);
  const stopped = once(again.child, "exit");
  again.child.kill("SIGTERM");
  assert.deepEqual(await stopped, [0, null]);
});
