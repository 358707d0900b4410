import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ProcessId } from "./processes.ts";

/** Ended before the process is paused again: its last word must not wake that one. */
export interface PauseGuard {
  release(): Promise<void>;
}

/**
 * Waits for the end of its input, which only the end of this process brings, even by kill -9; then lets the paused one go
 * on, which finds its supervisor gone and stops. While that is paused its number is nobody else's.
 */
const SCRIPT = 'read -r _; kill -CONT "$1"';

/** Starts a process that outlives this one by a moment, so that a paused node does not stay for ever. */
export async function guardPaused({ pid }: ProcessId): Promise<PauseGuard> {
  const child = spawn("/bin/sh", ["-c", SCRIPT, "sh", String(pid)], { stdio: ["pipe", "ignore", "ignore"] });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  child.stdin.on("error", () => {});
  await once(child, "spawn");
  child.unref();
  return {
    async release() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
