/**
 * Runs the pages' tests (`scripts/page-test`) in the machine's Chromium (`CHROMIUM`), or in one that it brings along
 * where it is root on Debian. Anywhere else it is skipped, with the reason.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCommands } from "../compose/commands.ts";
import { isRootOnDebian } from "../compose/packages.ts";
import { unpackChromium } from "./chromium.ts";

/** For a browser to be brought along (its downloads have deadlines of their own) and for all tests. */
const WHOLE_MS = 15 * 60_000;
const TEST_MS = 180_000;

const say = (text: string): void => void process.stderr.write(`cumulo: ${text}\n`);
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => stop.abort(new Error(`interrupted by ${signal}`)));
const timer = setTimeout(
  () => stop.abort(new Error(`not done after ${WHOLE_MS / 60_000} minutes`)),
  WHOLE_MS,
);
process.exitCode = await main();
clearTimeout(timer);

async function main(): Promise<number> {
  const chromium = process.env["CHROMIUM"];
  if (chromium) return runTests(chromium);
  if (!(await isRootOnDebian())) {
    say(
      "skipped: no Chromium was found; install one, or name it with CHROMIUM=/path (root on Debian brings its own).",
    );
    return 0;
  }
  const directory = await mkdtemp(join(tmpdir(), "cumulo-chromium-"));
  try {
    say("no Chromium was found; unpacking Debian's for this test alone (some 150 MB)...");
    const begunMs = performance.now();
    const program = await unpackChromium(createCommands(stop.signal), directory);
    say(`unpacked in ${((performance.now() - begunMs) / 1_000).toFixed(1)} s.`);
    return await runTests(program);
  } catch (error) {
    say(`FAILED: no Chromium could be brought along: ${(error as Error).message}`);
    return 1;
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function runTests(chromium: string): Promise<number> {
  const args = ["--disable-warning=ExperimentalWarning", "--test", "--test-concurrency=1"];
  args.push(`--test-timeout=${TEST_MS}`, "--test-reporter=spec", "test/page/*.page.ts");
  const child = spawn(process.execPath, args, {
    stdio: "inherit",
    env: { ...process.env, CHROMIUM: chromium },
  });
  const end = (): void => void child.kill("SIGTERM");
  stop.signal.addEventListener("abort", end);
  if (stop.signal.aborted) end();
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      stop.signal.removeEventListener("abort", end);
      if (stop.signal.aborted) say(`FAILED: ${(stop.signal.reason as Error).message}`);
      resolve(code ?? 1);
    });
  });
}
