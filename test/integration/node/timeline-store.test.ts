import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createLevelStore } from "../../../src/node/adapters/level-store.ts";
import { openTimelineLog, type TimelineLog } from "../../../src/node/timeline/index.ts";
import { silentLogger } from "../../../src/ports/index.ts";
import { streamGenesis } from "../../support/seeded-stream.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";
import { allEntries } from "../../support/timeline-lab.ts";

const { chainId } = streamGenesis();

const open = (directory: string): Promise<TimelineLog> =>
  openTimelineLog({
    async openStore({ anew }) {
      if (anew) await rm(directory, { recursive: true, force: true });
      return await createLevelStore({ directory, writeBufferBytes: 64 * 1024 });
    },
    chainId,
    logger: silentLogger,
  });

async function fill(log: TimelineLog, count: number): Promise<void> {
  const reason = "x".repeat(200);
  for (let n = 0; n < count; n++)
    void log.add({ type: "peer", timeMs: n, data: { peer: "peer", connected: false, reason } });
  await log.page({ limit: 1, order: "newest" });
}

test("whatever LevelDB's files are like, the timeline opens, takes entries, and tells only whole ones", async (t) => {
  const names = new Set<string>();
  for (let which = 0; which < 8; which++) {
    const directory = join(await temporaryDirectory(t), "timeline");
    const first = await open(directory);
    await fill(first, 2_000);
    await first.close();
    const files = (await readdir(directory))
      .filter((name) => name !== "LOCK" && !name.startsWith("LOG"))
      .sort();
    const file = files[which % files.length] ?? "";
    names.add(file.replace(/\d+/, ""));
    const bytes = await readFile(join(directory, file));
    // In its middle, where a table has rows and a log entries.
    await writeFile(join(directory, file), bytes.fill(0x5a, bytes.length >> 2, (bytes.length >> 2) * 3));
    const again = await open(directory);
    assert.ok(again.isOn, `${file}: ${again.problem}`);
    await fill(again, 10);
    const entries = await allEntries(again).catch((error: Error) => error);
    // A damaged table shows when it is read; that is told, and no entry is made up.
    if (Array.isArray(entries))
      assert.ok(
        entries.every(({ type }) => type === "peer"),
        file,
      );
    else assert.match(entries.message, /the store failed/);
    await again.close();
  }
  assert.ok(names.size >= 3, [...names].join());
});

test("a directory that another process has leaves the timeline off, and two of one process share nothing", async (t) => {
  const [one, other] = [await temporaryDirectory(t), await temporaryDirectory(t)];
  const logs = await Promise.all([open(join(one, "timeline")), open(join(other, "timeline"))]);
  await Promise.all(logs.map((log, i) => fill(log, 10 * (i + 1))));
  assert.deepEqual(
    logs.map(({ lastSequence }) => lastSequence),
    [10, 20],
  );
  const second = await open(join(one, "timeline"));
  assert.deepEqual(
    [second.isOn, await second.add({ type: "stop", timeMs: 1, data: { reason: "" } })],
    [false, undefined],
  );
  await second.close();
  await Promise.all(logs.map((log) => log.close()));
});
