import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeEvent } from "../../../src/api/index.ts";
import { createNodeEvents, MAX_UNTOLD } from "../../../src/node/events.ts";
import { createManualClock } from "../../../src/ports/index.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { until } from "../../support/until.ts";

/** Events of a node whose store answers when the test says so. */
async function slowNode() {
  const logger = createRecordingLogger();
  const clock = createManualClock();
  const events = createNodeEvents({ clock, logger });
  const reads: (() => void)[] = [];
  events.attach(async () => {
    await new Promise<void>((resolve) => reads.push(resolve));
    return { state: "pending" };
  });
  const told: string[] = [];
  const nameOf = (event: NodeEvent): string => (event.type === "tx" ? event.data.id : event.type);
  events.subscribe(
    (event) => told.push(nameOf(event)),
    () => told.push("missed"),
  );
  const asked = (): Promise<unknown> => until("the store is asked", () => reads.length > 0);
  const answer = async (): Promise<void> => {
    await asked();
    reads.shift()?.();
  };
  return { events, told, asked, answer, logger };
}

const ids = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}${i}`);

test("events that a slow store holds up are bounded: all that wait are dropped, and whoever listens is told so", async () => {
  const { events, told, asked, answer, logger } = await slowNode();
  events.transactionsChanged(["first"]);
  await asked();
  for (let left = MAX_UNTOLD - 1; left > 0; left -= 1_000)
    events.transactionsChanged(ids("lost", Math.min(1_000, left)));
  assert.deepEqual(told, [], "so many may wait");
  events.transactionsChanged(["next"]);
  assert.deepEqual(told, ["missed"]);
  // What was being made when it was dropped is old to whoever has read the present state.
  await answer();
  await answer();
  await until("the next is told", () => told.length > 1);
  assert.deepEqual(told, ["missed", "next"]);
  assert.deepEqual(
    logger.lines.map(({ level, ["dropped"]: dropped }) => [level, dropped]),
    [["warn", MAX_UNTOLD]],
  );
});

test("told events make room again, and come in order", async () => {
  const { events, told, answer } = await slowNode();
  for (let round = 0; round < 3; round++) {
    events.transactionsChanged(ids(`${round}-`, 2));
    events.transactionsChanged([`${round}-2`]);
    for (let read = 0; read < 3; read++) await answer();
    await until("they are told", () => told.length === 3 * (round + 1));
  }
  assert.deepEqual(
    told,
    [0, 1, 2].flatMap((round) => [0, 1, 2].map((n) => `${round}-${n}`)),
  );
});

test("a listener that throws takes nothing from the others, and events go on", async () => {
  const { events, told, answer, logger } = await slowNode();
  const fail = (): never => {
    throw new Error("this listener is broken");
  };
  events.subscribe(fail, fail);
  const heard: string[] = [];
  events.subscribe((event) => heard.push(event.type));
  for (const id of ["one", "two"]) {
    events.transactionsChanged([id]);
    await answer();
    await until("it is told", () => told.at(-1) === id);
  }
  for (let count = MAX_UNTOLD; count >= 0; count -= 1_000) events.transactionsChanged(ids("lost", 1_000));
  assert.deepEqual(
    [told, heard],
    [
      ["one", "two", "missed"],
      ["tx", "tx"],
    ],
  );
  assert.equal(logger.lines.filter(({ level }) => level === "error").length, 3);
});
