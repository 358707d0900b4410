import { setTimeout as pause } from "node:timers/promises";
import { createSystemClock } from "../../src/node/adapters/system-clock.ts";
import { createSystemTimers } from "../../src/node/adapters/system-timers.ts";
import { createManualClock, createManualTimers } from "../../src/ports/index.ts";
import { describeTime } from "./time.ts";

describeTime("manual", () => {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  return { clock, timers, pass: async (ms) => timers.advance(ms) };
});

describeTime("system", () => ({
  clock: createSystemClock(),
  timers: createSystemTimers(),
  // The one place that really waits: this is what is being tested.
  pass: (ms) => pause(ms),
}));
