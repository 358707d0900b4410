import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createSeededRandom } from "../../src/ports/index.ts";
import { newestLog, punchHole } from "../support/log-damage.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

const CHILD = fileURLToPath(new URL("../support/crash-child.ts", import.meta.url));
/** About a second each. CRASH_KILLS=1000 CRASH_SEED=7 (and a longer --test-timeout) for a longer campaign. */
const KILLS = Number(process.env["CRASH_KILLS"] ?? 50);
const SEED = Number(process.env["CRASH_SEED"] ?? 34);
/** Blocks of one stream; when it is through, the next directory takes the next seed. */
const BLOCKS = 240;
/** Longest life after `ready`. */
const MAX_LIFE_MS = 100;

interface Run {
  readonly acknowledged: number;
  readonly ended: "killed" | "done";
  /** Killed before it was ready: in the middle of opening. */
  readonly early: boolean;
}

/** Starts a child, kills it `afterMs` after its start or (where `untilReady`) after it was ready. */
async function runAndKill(
  args: readonly string[],
  acknowledged: number,
  afterMs: number,
  untilReady: boolean,
): Promise<Run> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", CHILD, ...args],
    {
      stdio: ["ignore", "pipe", "inherit"],
      // Compiled code is kept between the children, or starting would be most of their lives.
      env: { ...process.env, NODE_COMPILE_CACHE: join(args[0] ?? "", "..", "compiled") },
    },
  );
  const exited = once(child, "exit");
  let latest = acknowledged;
  let ready = false;
  let done = false;
  const broken: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => void child.kill("SIGKILL");
  try {
    if (!untilReady) timer = setTimeout(kill, afterMs);
    const { stdout } = child;
    assert.ok(stdout);
    for await (const line of createInterface({ input: stdout })) {
      const [word, value] = line.split(" ");
      if (word === "ack") latest = Number(value);
      if (word === "done") done = true;
      if (word === "broken") broken.push(line);
      if (word !== "ready") continue;
      ready = true;
      if (untilReady) timer = setTimeout(kill, afterMs);
    }
    const [code, signal] = (await exited) as [number | null, string | null];
    assert.deepEqual(broken, [], `seed and state: ${args.join(" ")}`);
    assert.ok(
      signal === "SIGKILL" || code === 0,
      `the child ended with ${code ?? signal}: ${args.join(" ")}`,
    );
  } finally {
    clearTimeout(timer);
    kill();
  }
  return { acknowledged: latest, ended: done ? "done" : "killed", early: !ready };
}

test(`case 34: after ${KILLS} kills at random moments the state equals a replay from genesis, and nothing acknowledged is lost`, {
  timeout: 400_000,
}, async (t) => {
  const random = createSeededRandom(SEED);
  const directory = await temporaryDirectory(t);
  let kills = 0;
  let early = 0;
  let holes = 0;
  let acknowledged = 0;
  let stream = 0;
  let progress = 0;
  let startupMs = 400;
  // Every fourth child dies while it opens, every second of those while it rebuilds the state.
  for (let run = 0; kills < KILLS && run < KILLS * 4; run++) {
    const seed = SEED * 1_000 + stream;
    const database = join(directory, `chain-${stream}`);
    const opening = run % 4 === 3;
    if (run % 8 === 7 && acknowledged > 0) {
      // A hole takes what it takes, acknowledged or not; the child notices and the stream brings it back.
      const { sizeBytes } = await newestLog(database);
      await punchHole(database, Math.floor(random.fraction() * sizeBytes * 0.5), Math.floor(sizeBytes * 0.3));
      acknowledged = 0;
      holes += 1;
    }
    const afterMs = opening ? startupMs * (0.5 + random.fraction()) : random.fraction() * MAX_LIFE_MS;
    const beganMs = performance.now();
    const args = [database, String(seed), String(acknowledged), String(BLOCKS)];
    const result = await runAndKill(args, acknowledged, afterMs, !opening);
    if (!opening) startupMs = Math.max(100, performance.now() - beganMs - afterMs);
    progress += result.acknowledged - acknowledged;
    acknowledged = result.acknowledged;
    if (result.ended === "killed") kills += 1;
    if (result.early) early += 1;
    if (result.ended === "killed") continue;
    stream += 1;
    acknowledged = 0;
  }
  t.diagnostic(
    `seed ${SEED}: ${kills} kills, ${early} of them while opening, ${holes} holes, ${progress} blocks acknowledged in between`,
  );
  assert.equal(kills, KILLS);
  assert.ok(progress > KILLS, "the chain went on between the kills");
  // The last one may finish its work in peace.
  const args = [
    join(directory, `chain-${stream}`),
    String(SEED * 1_000 + stream),
    String(acknowledged),
    String(acknowledged + 12),
  ];
  const last = await runAndKill(args, acknowledged, 60_000, true);
  assert.equal(last.ended, "done");
});
