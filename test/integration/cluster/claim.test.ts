import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { claimDirectory, markAlone } from "../../../src/cluster/claim.ts";
import { type ClusterFile, readClusterFile, writeClusterFile } from "../../../src/cluster/cluster-file.ts";
import { SUITE_MS } from "../../support/suite-limit.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

const CHILD = fileURLToPath(new URL("../../support/claim-child.ts", import.meta.url));
/** This process's number, started at another time: nobody who is alive. */
const stale: ClusterFile = {
  version: 1,
  state: "running",
  supervisor: { pid: process.pid, started: "long ago" },
  url: "",
  tokenFile: "",
  nodes: [],
};

async function claimants(t: TestContext, directory: string, count: number) {
  const children: ChildProcess[] = [];
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  t.after(() => Promise.all(children.map(end)));
  for (let i = 0; i < count; i++) {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CHILD, directory], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    children.push(child);
  }
  await Promise.all(children.map((child) => once(child, "message")));
  return {
    children,
    end,
    async race(some: readonly ChildProcess[]): Promise<string[]> {
      const words = some.map((child) => once(child, "message"));
      for (const child of some) child.send("go");
      return (await Promise.all(words)).map(([word]) => String(word));
    },
  };
}

describe("claim of a cluster's directory", { timeout: SUITE_MS }, () => {
  it("of many processes at once exactly one wins over a dead one's note, and its own stays", async (t) => {
    const directory = await temporaryDirectory(t);
    await writeClusterFile(directory, stale);
    const { children, race, end } = await claimants(t, directory, 8);
    const [later, ...first] = children as [ChildProcess, ...ChildProcess[]];
    const words = await race(first);
    assert.deepEqual(words.toSorted(), [...first.slice(1).map(() => "CLUSTER_RUNNING"), "won"]);
    const winner = first[words.indexOf("won")] as ChildProcess;
    assert.equal((await readClusterFile(directory))?.supervisor.pid, winner.pid);
    // Killed without a chance to tidy up, it stands in nobody's way.
    await end(winner);
    assert.deepEqual(await race([later]), ["won"]);
    assert.equal((await readClusterFile(directory))?.supervisor.pid, later.pid);
    assert.deepEqual((await readdir(directory)).sort(), ["cluster.json", "cluster.lock"]);
  });

  it("of many in one process exactly one wins, time and again", async (t) => {
    const directory = await temporaryDirectory(t);
    for (let round = 0; round < 20; round++) {
      await writeClusterFile(directory, stale);
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) =>
          claimDirectory(directory, { pid: process.pid, started: `claimant ${i}` }, ""),
        ),
      );
      const won = results.flatMap((result, i) => (result.status === "fulfilled" ? [{ ...result, i }] : []));
      assert.equal(won.length, 1);
      assert.equal((await readClusterFile(directory))?.supervisor.started, `claimant ${won[0]?.i}`);
      await won[0]?.value.release();
      assert.equal(await readClusterFile(directory), undefined);
    }
  });

  it("is not given to anybody while a supervisor lives that took no lock, nor is its note removed", async (t) => {
    const directory = await temporaryDirectory(t);
    const { children, race, end } = await claimants(t, directory, 1);
    const [child] = children as [ChildProcess];
    assert.deepEqual(await race([child]), ["won"]);
    const note = (await readClusterFile(directory)) as ClusterFile;
    // As if by an earlier version: the note of a living process, and nobody holds a lock on that path.
    const other = await temporaryDirectory(t);
    await writeClusterFile(other, note);
    await assert.rejects(claimDirectory(other, { pid: process.pid, started: "now" }, ""), {
      code: "CLUSTER_RUNNING",
      message: `a cluster runs in ${other} already; end it with "cumulo cluster down --dir ${other}", or choose another --dir DIR`,
    });
    assert.deepEqual(await readClusterFile(other), note);
    await end(child);
    const claim = await claimDirectory(other, { pid: process.pid, started: "now" }, "");
    await writeFile(join(other, "cluster.json"), JSON.stringify(note));
    await claim.release();
    assert.deepEqual(await readClusterFile(other), note, "released: a note that names another stays");
  });
});

test("a directory is marked alone by one of many at once, also where the lock beside the mark was somebody else's", async (t) => {
  const directory = await temporaryDirectory(t);
  const answers = await Promise.all(Array.from({ length: 8 }, () => markAlone(directory)));
  assert.equal(answers.filter((isOurs) => isOurs).length, 1);
  // As it stands where another has made the mark and not yet the lock.
  await rm(join(directory, "cluster.lock"));
  assert.equal(await markAlone(directory), false);
});
