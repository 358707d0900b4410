import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createSeededRandom, type Random } from "../../src/ports/index.ts";
import { newestLog, punchHole } from "./log-damage.ts";

const CHILD = fileURLToPath(new URL("./crash-child.ts", import.meta.url));
/** Blocks of one stream; when it is through, the next directory takes the next seed. */
const BLOCKS = 240;
/** What is aimed at; a kill counts for what it hit. */
export const CRASH_AIMS = [
  "import",
  "flush",
  "reorg",
  "flush of a reorg",
  "copy of a base",
  "switch of the base",
  "deletion",
  "shutdown",
  "reindex",
  "opening",
] as const;

/** What kills of one phase came to. */
export interface PhaseCount {
  kills: number;
  /** After which the log got a hole by hand. */
  holes: number;
  /** Starts that noticed the hole, or found one half mended, and made the state anew. */
  rebuilt: number;
  /** After which the log was cut by hand where it was not synced. */
  cut: number;
  /** Starts after them whose state was that of a replay, with all that was acknowledged. */
  whole: number;
}

export interface Campaign {
  readonly phases: ReadonlyMap<string, PhaseCount>;
  readonly kills: number;
  readonly acknowledged: number;
}

interface Life {
  readonly acknowledged: number;
  readonly ended: "killed" | "done" | "ended";
  /** What it was doing when it died. */
  readonly phase: string;
  readonly isReady: boolean;
  readonly rebuilt: boolean;
  readonly synced: { readonly log: string; readonly sizeBytes: number } | undefined;
}

interface Aim {
  readonly phase: string;
  /** The phase's how many-th time. */
  readonly time: number;
  readonly afterMs: number;
}

/** Ends a process so many milliseconds from now, to the microsecond where that is short: a timer would be too coarse. */
function killAfter(child: ChildProcess, afterMs: number): void {
  const dueMs = performance.now() + afterMs;
  const kill = (): void => {
    while (performance.now() < dueMs);
    child.kill("SIGKILL");
  };
  if (afterMs < 2) kill();
  else setTimeout(kill, afterMs - 1);
}

/** Runs a child up to what is aimed at, and kills it there; without an aim to its end. */
async function live(
  args: readonly string[],
  acknowledged: number,
  isDamaged: boolean,
  aim?: Aim,
): Promise<Life> {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(args[0] ?? "", "..", "compiled") };
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CHILD, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    // Compiled code is kept between the children, or starting would be most of their lives.
    env: isDamaged ? { ...env, CRASH_DAMAGED: "1" } : env,
  });
  const exited = once(child, "exit");
  let latest = acknowledged;
  let [phase, ended, isReady, rebuilt, times] = ["starting", "killed", false, false, 0];
  let synced: Life["synced"];
  const broken: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const [word = "", ...rest] = line.split(" ");
      const value = rest.join(" ");
      if (word === "ack") latest = Number(value);
      else if (word === "done" || word === "ended") ended = word;
      else if (word === "broken") broken.push(line);
      else if (word === "synced") synced = { log: rest[0] ?? "", sizeBytes: Number(rest[1]) };
      else if (word === "ready") [isReady, rebuilt] = [true, rest[1] === "true"];
      else if (word === "phase") {
        phase = value;
        if (value === aim?.phase && ++times === aim.time) killAfter(child, aim.afterMs);
      }
    }
    const [code, signal] = (await exited) as [number | null, string | null];
    assert.deepEqual(broken, [], `seed and state: ${args.join(" ")}`);
    assert.ok(
      signal === "SIGKILL" || code === 0,
      `the child ended with ${code ?? signal}: ${args.join(" ")}`,
    );
    if (signal === "SIGKILL") ended = "killed";
  } finally {
    child.kill("SIGKILL");
  }
  return { acknowledged: latest, ended: ended as Life["ended"], phase, isReady, rebuilt, synced };
}

/** From a few microseconds to some milliseconds, the short ones as often as the long. */
const shortDelay = (random: Random): number => 0.005 * 1_000 ** random.fraction();

function aimAt(phase: string, random: Random): Aim {
  const dice = (sides: number): number => 1 + Math.floor(random.fraction() * sides);
  if (phase === "opening") return { phase, time: 1, afterMs: 40 * random.fraction() };
  if (phase === "reindex") return { phase, time: 1, afterMs: 120 * random.fraction() };
  if (phase === "shutdown") return { phase, time: 1, afterMs: 2 * random.fraction() };
  return {
    phase,
    time: dice(phase.startsWith("flush") || phase === "import" ? 12 : 6),
    afterMs: shortDelay(random),
  };
}

/** Cuts what was not synced off the log, somewhere; answers whether there was any. */
async function cutTail(database: string, synced: Life["synced"], random: Random): Promise<boolean> {
  const { path, sizeBytes } = await newestLog(database);
  if (synced === undefined || !path.endsWith(synced.log) || sizeBytes <= synced.sizeBytes) return false;
  await truncate(path, synced.sizeBytes + Math.floor(random.fraction() * (sizeBytes - synced.sizeBytes)));
  return true;
}

/**
 * Kills so many children in the middle of what they do. Each next one checks what it finds, as `crash-child.ts` says, and goes
 * on from there; after every tenth kill the log gets a hole by hand, and after others it loses what was not synced.
 */
export async function runCrashCampaign(directory: string, seed: number, kills: number): Promise<Campaign> {
  const random = createSeededRandom(seed);
  const phases = new Map<string, PhaseCount>();
  const countOf = (phase: string): PhaseCount => {
    const count = phases.get(phase) ?? { kills: 0, holes: 0, rebuilt: 0, cut: 0, whole: 0 };
    phases.set(phase, count);
    return count;
  };
  let [killed, stream, acknowledged, progress] = [0, 0, 0, 0];
  let isDamaged = false;
  /** What the last one died of, until a start has looked at what it left. */
  let unchecked: PhaseCount[] = [];

  async function liveOn(mode: string, aim?: Aim, blocks = BLOCKS): Promise<Life> {
    const database = join(directory, `chain-${stream}`);
    const args = [database, String(seed * 1_000 + stream), String(acknowledged), String(blocks), mode];
    const life = await live(args, acknowledged, isDamaged, aim);
    if (life.isReady) {
      for (const count of unchecked) {
        count.whole += 1;
        if (life.rebuilt && isDamaged) count.rebuilt += 1;
      }
      unchecked = [];
      isDamaged = false;
    }
    progress += life.acknowledged - acknowledged;
    acknowledged = life.acknowledged;
    return life;
  }

  for (let run = 0; killed < kills && run < kills * 4; run++) {
    const aimed = CRASH_AIMS[run % CRASH_AIMS.length] ?? "import";
    const mode = aimed === "reindex" ? aimed : aimed === "shutdown" ? "close" : "import";
    const life = await liveOn(mode, aimAt(aimed, random));
    if (life.ended === "done") {
      stream += 1;
      acknowledged = 0;
    }
    if (life.ended !== "killed") continue;
    killed += 1;
    const count = countOf(life.phase);
    count.kills += 1;
    unchecked.push(count);
    const database = join(directory, `chain-${stream}`);
    if (killed % 10 === 0 && acknowledged > 0) {
      // A hole takes what it takes, acknowledged or not; the next start notices and the stream brings it back.
      const { sizeBytes } = await newestLog(database);
      await punchHole(database, Math.floor(random.fraction() * sizeBytes * 0.5), Math.floor(sizeBytes * 0.3));
      acknowledged = 0;
      isDamaged = true;
      count.holes += 1;
    } else if (await cutTail(database, life.synced, random)) count.cut += 1;
  }
  // The last one may finish its work in peace.
  const last = await liveOn("import", undefined, acknowledged + 12);
  assert.equal(last.ended, "done");
  assert.deepEqual(unchecked, []);
  return { phases, kills: killed, acknowledged: progress };
}

/** The campaign as a table. */
export function tableOf(phases: Campaign["phases"]): string[] {
  const rows = [...phases].map(([phase, { kills, holes, rebuilt, cut, whole }]) =>
    [phase.padEnd(18), kills, holes, rebuilt, cut, whole].map((cell) => String(cell).padStart(7)).join(" "),
  );
  const sums = [...phases.values()].reduce((sum, { kills }) => sum + kills, 0);
  const head = ["phase".padEnd(18), "kills", "holes", "rebuilt", "cut", "whole"];
  return [head.map((cell) => cell.padStart(7)).join(" "), ...rows, `${sums} kills`];
}
