import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  capacityOf,
  createHeldBytes,
  createLine,
  createManualClock,
  createManualTimers,
  createSeededRandom,
  type LineShape,
} from "../../../src/ports/index.ts";

const SEGMENT = 1_448;
const always = (...fractions: number[]) => {
  let next = 0;
  return { fraction: () => fractions[next++ % fractions.length] ?? 0 };
};

describe("a line", () => {
  it("that is whole takes no time, and a delay is the same for every piece", () => {
    assert.equal(createLine(undefined).arrivesAtMs({}, 1_000_000, 5), 5);
    const line = createLine(undefined);
    assert.deepEqual(
      [0, 10, 10].map((nowMs) => line.arrivesAtMs({ delayMs: 80 }, 1_000, nowMs)),
      [80, 90, 90],
    );
  });

  it("of a bandwidth sends one piece after the other, and an idle one saves nothing up", () => {
    const line = createLine(undefined);
    const shape: LineShape = { bytesPerSecond: 8_000, delayMs: 50 };
    assert.equal(line.arrivesAtMs(shape, 4_000, 0), 550);
    assert.equal(line.arrivesAtMs(shape, 4_000, 0), 1_050);
    assert.equal(line.arrivesAtMs(shape, 800, 5_000), 5_150);
  });

  it("jitters evenly around its delay, never below zero, and nothing overtakes", () => {
    const shape: LineShape = { delayMs: 80, jitterMs: 20 };
    assert.equal(createLine(always(0)).arrivesAtMs(shape, 1, 0), 60);
    assert.equal(createLine(always(0.5)).arrivesAtMs(shape, 1, 0), 80);
    assert.equal(createLine(always(0)).arrivesAtMs({ delayMs: 5, jitterMs: 20 }, 1, 0), 0);
    const line = createLine(createSeededRandom(7));
    let before = 0;
    const seen = new Set<number>();
    for (let nowMs = 0; nowMs < 20_000; nowMs += 100) {
      const at = line.arrivesAtMs(shape, 10, nowMs);
      assert.ok(at >= before && at >= nowMs + 60 && at <= nowMs + 100);
      before = at;
      seen.add(at - nowMs);
    }
    assert.ok(seen.size > 150);
  });

  it("sends a lost segment again after max(200 ms, 2 delays), then after twice as long, and what follows waits", () => {
    const lossy: LineShape = { lossRatio: 0.2 };
    assert.equal(createLine(always(0.1, 0.9)).arrivesAtMs(lossy, SEGMENT, 0), 200);
    assert.equal(createLine(always(0.1, 0.1, 0.1, 0.9)).arrivesAtMs(lossy, SEGMENT, 0), 200 + 400 + 800);
    assert.equal(createLine(always(0.1, 0.9)).arrivesAtMs({ ...lossy, delayMs: 300 }, SEGMENT, 0), 300 + 600);
    // Of three segments the last one is lost.
    assert.equal(createLine(always(0.9, 0.9, 0.1, 0.9)).arrivesAtMs(lossy, 2 * SEGMENT + 1, 0), 200);
    const line = createLine(always(0.1, 0.9, 0.9));
    assert.deepEqual([line.arrivesAtMs(lossy, 10, 0), line.arrivesAtMs(lossy, 10, 50)], [200, 200]);
  });

  it("loses the share of segments that it should, and gives up on none", () => {
    const random = createSeededRandom(3);
    const late = Array.from({ length: 20_000 }, () =>
      createLine(random).arrivesAtMs({ lossRatio: 0.05 }, SEGMENT, 0),
    ).filter((ms) => ms > 0).length;
    assert.ok(Math.abs(late / 20_000 - 0.05) < 0.006, `${late} of 20000`);
    assert.ok(Number.isFinite(createLine(always(0)).arrivesAtMs({ lossRatio: 0.999 }, SEGMENT, 0)));
  });

  it("that is dead, or loses all, delivers never", () => {
    for (const shape of [{ blackhole: true }, { lossRatio: 1 }])
      assert.equal(createLine(always(0.5)).arrivesAtMs(shape, 1, 0), Number.POSITIVE_INFINITY);
  });

  it("takes in what a TCP window over it would, a slow one a second's worth and a dead one a socket's buffer", () => {
    assert.equal(capacityOf({ delayMs: 80 }), 4 * 1024 * 1024);
    assert.equal(capacityOf({ bytesPerSecond: 100_000 }), 100_000);
    assert.equal(capacityOf({ bytesPerSecond: 100_000, delayMs: 500 }), 200_000);
    assert.equal(capacityOf({ bytesPerSecond: 8_000 }), 16 * 1024);
    assert.equal(capacityOf({ blackhole: true }), 256 * 1024);
  });
});

describe("bytes held by a line", () => {
  function start(shape: LineShape | undefined) {
    const clock = createManualClock();
    const timers = createManualTimers(clock);
    const delivered: string[] = [];
    const told: string[] = [];
    let isOpen = true;
    const held = createHeldBytes<string>(
      { clock, timers, random: undefined },
      {
        isOpen: () => isOpen,
        deliver: (piece) => void delivered.push(`${piece} ${clock.monotonicMs()}`),
        onRoom: () => void told.push("room"),
        onEmpty: () => void told.push("empty"),
      },
    );
    held.reshape(shape);
    told.length = 0;
    const open = (value: boolean): void => {
      isOpen = value;
      if (value) held.release();
    };
    return { held, timers, delivered, told, open };
  }

  it("come out in order, each at its time, with one timer for all", () => {
    const { held, timers, delivered, told } = start({ delayMs: 100 });
    held.push("a", 10);
    held.push("b", 10);
    timers.advance(50);
    held.push("c", 10);
    assert.equal(timers.pending, 1);
    timers.advance(200);
    assert.deepEqual(delivered, ["a 100", "b 100", "c 150"]);
    assert.equal(timers.pending, 0);
    assert.equal(told.at(-1), "empty");
  });

  it("stop where the far side takes nothing, and go on when it does", () => {
    const { held, timers, delivered, open } = start({ delayMs: 100 });
    open(false);
    held.push("a", 10);
    timers.advance(500);
    assert.deepEqual(delivered, []);
    open(true);
    assert.deepEqual(delivered, ["a 500"]);
  });

  it("leave no room beyond the line's capacity, and tell the sender when half of it is free", () => {
    const { held, timers, told } = start({ bytesPerSecond: 20_000 });
    assert.equal(held.room(), 20_000);
    for (let i = 0; i < 20; i++) held.push(`${i}`, 1_000);
    assert.equal(held.room(), 0);
    timers.advance(400);
    assert.deepEqual(told, []);
    timers.advance(100);
    assert.deepEqual(told, ["room"]);
    assert.equal(held.room(), 10_000);
  });

  it("wait on a dead line for ever, without a timer, and come at once when it is whole", () => {
    const { held, timers, delivered } = start({ blackhole: true });
    for (const piece of ["a", "b"]) held.push(piece, 10);
    timers.advance(3_600_000);
    assert.equal(timers.pending, 0);
    assert.deepEqual(delivered, []);
    held.reshape({ delayMs: 50 });
    timers.advance(60);
    held.push("c", 10);
    held.reshape(undefined);
    assert.deepEqual(delivered, ["a 3600050", "b 3600050", "c 3600060"]);
    assert.equal(timers.pending, 0);
  });

  it("are dropped with the connection, and so is the timer", () => {
    const { held, timers, delivered } = start({ delayMs: 100 });
    for (let i = 0; i < 3_000; i++) held.push("x", 1);
    held.clear();
    timers.advance(1_000);
    assert.deepEqual([timers.pending, delivered.length, held.isEmpty()], [0, 0, true]);
  });
});
