import { ApiError } from "../../client/index.ts";
import { ClusterError } from "../errors.ts";
import { act, longestLoadMs, startLoad, startMining } from "./actions.ts";
import type { Action, Assertion, Step } from "./language.ts";
import { type Looking, lookingFor, lookingForConvergence } from "./looks.ts";
import { pause, untilAborted, type World } from "./world.ts";

/** What became of one step. */
export interface StepResult {
  /** From 1. */
  readonly place: number;
  readonly line: number;
  readonly text: string;
  readonly kind: "action" | "assertion";
  readonly result: "done" | "failed" | "not-run";
  /** From the first step's begin; null where it did not run. */
  readonly startedMs: number | null;
  readonly durationMs: number | null;
  /** What it tells of itself. */
  readonly detail: string | null;
}

export interface AssertionResult {
  readonly line: number;
  readonly text: string;
  readonly isTrue: boolean;
  readonly expected: string;
  readonly actual: string;
  readonly withinMs: number;
  /** Until it was true, or was given up. */
  readonly tookMs: number;
}

/** How long the nodes took to find together again, after a step that joins them. */
export interface ConvergenceResult {
  /** The step that made it possible. */
  readonly line: number;
  readonly after: string;
  /** When a link was made whole, or a node ran, Unix ms. */
  readonly sinceMs: number;
  readonly timeMs: number;
}

/** Why a run did not pass. `failed`: an assertion, or a step. `timed-out`: a wait. */
export type Outcome = "passed" | "failed" | "timed-out" | "interrupted";

export interface RunResult {
  readonly outcome: Outcome;
  readonly steps: readonly StepResult[];
  readonly assertions: readonly AssertionResult[];
  readonly convergences: readonly ConvergenceResult[];
  /** What went wrong; null where it passed. */
  readonly problem: { readonly line: number; readonly message: string } | null;
}

/** What is told while it happens. */
export interface RunEvents {
  stepStarted(step: Step, place: number): void;
  stepEnded(result: StepResult): void;
  /** What a wait or an assertion shows meanwhile. */
  looked?(actual: string): void;
}

const LOOK_MS = 100;
const DEFAULT_WITHIN_MS = 10_000;
const DEFAULT_WAIT_MS = 60_000;

interface Seen {
  readonly isTrue: boolean;
  readonly actual: string;
  readonly tookMs: number;
}

/** A node that cannot be asked makes nothing true; anything else that fails is no matter of the assertion. */
async function lookOnce(
  looking: Looking,
): Promise<{ isTrue: boolean; actual: string; isHopeless?: boolean }> {
  try {
    return await looking.look();
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ClusterError)) throw error;
    return { isTrue: false, actual: error.message };
  }
}

/** Looks until it is true and has stayed so, or until the time is over. */
async function watch(
  looking: Looking,
  { withinMs, holdsMs }: { readonly withinMs: number; readonly holdsMs: number },
  world: World,
  events: RunEvents,
): Promise<Seen> {
  const startMs = performance.now();
  let trueSinceMs: number | undefined;
  for (;;) {
    const { isTrue, actual, isHopeless = false } = await untilAborted(world.signal, lookOnce(looking));
    events.looked?.(actual);
    const nowMs = performance.now();
    if (isTrue) {
      trueSinceMs ??= nowMs;
      if (nowMs - trueSinceMs >= holdsMs) return { isTrue, actual, tookMs: trueSinceMs - startMs };
    } else {
      const wasTrue = trueSinceMs !== undefined;
      trueSinceMs = undefined;
      const told = wasTrue ? `${actual}, after it had been true` : actual;
      if (wasTrue || isHopeless || nowMs - startMs >= withinMs)
        return { isTrue: false, actual: told, tookMs: nowMs - startMs };
    }
    await pause(world.signal, LOOK_MS);
  }
}

/** A step that was not done, as its line in the result and its message. */
class StepFailure extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome, message: string) {
    super(message);
    this.outcome = outcome;
  }
}

const round = (valueMs: number): number => Math.round(valueMs);

export async function runSteps(world: World, events: RunEvents): Promise<RunResult> {
  const { scenario } = world;
  const steps: StepResult[] = [];
  const assertions: AssertionResult[] = [];
  const convergences: ConvergenceResult[] = [];
  const startMs = performance.now();

  function noteConvergence(): void {
    const { disturbance } = world;
    if (disturbance === undefined) return;
    const { line, text, sinceMs } = disturbance;
    convergences.push({ line, after: text, sinceMs, timeMs: Math.max(0, Date.now() - sinceMs) });
    world.disturbance = undefined;
  }

  async function assertThat(assertion: Assertion): Promise<string> {
    const { within = DEFAULT_WITHIN_MS, for: holdsMs = 0 } = assertion.options as {
      within?: number;
      for?: number;
    };
    const withinMs = assertion.word === "no reorg" ? 0 : within;
    const looking = lookingFor(assertion, world);
    const seen = await watch(looking, { withinMs, holdsMs }, world, events);
    const { line, text } = assertion;
    const { expected } = looking;
    assertions.push({ line, text, ...seen, expected, withinMs, tookMs: round(seen.tookMs) });
    if (!seen.isTrue)
      throw new StepFailure(
        "failed",
        `expected ${expected} within ${withinMs / 1_000} s, but saw: ${seen.actual}`,
      );
    if (assertion.word === "converged" && assertion.options.at === undefined) noteConvergence();
    return seen.actual;
  }

  async function waitForConvergence(step: Extract<Action, { word: "wait" }>): Promise<string> {
    const { within: withinMs = DEFAULT_WAIT_MS, at } = step.options;
    const seen = await watch(lookingForConvergence(at, world), { withinMs, holdsMs: 0 }, world, events);
    if (!seen.isTrue)
      throw new StepFailure("timed-out", `not converged within ${withinMs / 1_000} s: ${seen.actual}`);
    if (at === undefined) noteConvergence();
    return seen.actual;
  }

  async function runStep(step: Step): Promise<string | undefined> {
    const failure = world.loads.map((load) => load.failure()).find((one) => one !== undefined);
    if (failure !== undefined) throw new StepFailure("failed", `the load ended: ${failure.message}`);
    if (step.kind === "assertion") return assertThat(step);
    if (step.word === "wait" && step.value === "converged") return waitForConvergence(step);
    return act(step, world);
  }

  const result = (outcome: Outcome, problem: RunResult["problem"]): RunResult => {
    for (const { line, text, kind } of scenario.steps.slice(steps.length))
      steps.push({
        place: steps.length + 1,
        line,
        text,
        kind,
        result: "not-run",
        startedMs: null,
        durationMs: null,
        detail: null,
      });
    return { outcome, steps, assertions, convergences, problem };
  };

  for (const { n, share } of scenario.miners) await startMining(world, n, share);
  if (scenario.loadTps > 0)
    startLoad(world, scenario.loadTps, longestLoadMs(scenario.loadTps, scenario.limitMs));
  for (const [i, step] of scenario.steps.entries()) {
    const { line, text, kind } = step;
    const begunMs = performance.now();
    const ended = (ending: Pick<StepResult, "result" | "detail">): void => {
      const durationMs = round(performance.now() - begunMs);
      const ended = {
        place: i + 1,
        line,
        text,
        kind,
        startedMs: round(begunMs - startMs),
        durationMs,
        ...ending,
      };
      steps.push(ended);
      events.stepEnded(ended);
    };
    events.stepStarted(step, i + 1);
    try {
      ended({ result: "done", detail: (await runStep(step)) ?? null });
    } catch (error) {
      const message = (error as Error).message;
      ended({ result: "failed", detail: message });
      const outcome = error instanceof StepFailure ? error.outcome : outcomeOf(world);
      return result(outcome, { line, message });
    }
  }
  return result("passed", null);
}

/** A step that the cluster refused has failed; one that was given up was told to, by somebody or by the limit. */
function outcomeOf({ signal }: World): Outcome {
  if (!signal.aborted) return "failed";
  return (signal.reason as { code?: string } | undefined)?.code === "CLUSTER_TIMEOUT"
    ? "timed-out"
    : "interrupted";
}
