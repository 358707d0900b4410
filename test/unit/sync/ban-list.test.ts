import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ban, createBanList, MAX_BANS } from "../../../src/sync/index.ts";

const MINUTE_MS = 60_000;
const byHand = (subject: string, untilMs: number): Ban => ({
  subject,
  sinceMs: 0,
  untilMs,
  reason: "for the test",
  byHand: true,
});

test("three faults in a short time are a ban of an hour, which ends by itself", () => {
  const bans = createBanList();
  assert.equal(bans.fault("liar", "first", false, 0), undefined);
  assert.equal(bans.fault("liar", "second", false, 2_000), undefined);
  assert.equal(bans.isBanned("liar", 2_000), false);
  const ban = bans.fault("liar", "third", false, 4_000);
  assert.deepEqual(ban, {
    subject: "liar",
    sinceMs: 4_000,
    untilMs: 4_000 + 60 * MINUTE_MS,
    reason: "third",
    byHand: false,
  });
  assert.equal(bans.isBanned("liar", 4_000 + 60 * MINUTE_MS - 1), true);
  assert.equal(bans.isBanned("liar", 4_000 + 60 * MINUTE_MS), false);
  assert.deepEqual(bans.list(4_000 + 60 * MINUTE_MS), []);
});

test("faults fade: a peer that errs every ten minutes is never banned", () => {
  const bans = createBanList();
  for (let i = 0; i < 1_000; i++)
    assert.equal(bans.fault("clumsy", "again", false, i * 10 * MINUTE_MS), undefined);
  const lastMs = 999 * 10 * MINUTE_MS;
  assert.equal(bans.score("clumsy", lastMs), -80);
  assert.equal(bans.score("clumsy", lastMs + 10 * MINUTE_MS), -40);
  assert.equal(bans.score("nobody", 0), 0);
});

test("what a peer sent in one go is one fault, however often it is found", () => {
  const bans = createBanList();
  for (let i = 0; i < 100; i++) bans.fault("hasty", "one of many", false, i);
  assert.equal(bans.score("hasty", 100), -40);
});

test("a peer that is to be kept has a score and is never banned for faults", () => {
  const bans = createBanList();
  for (let i = 0; i < 100; i++) assert.equal(bans.fault("kept", "again", true, i * 2_000), undefined);
  assert.equal(bans.score("kept", 200_000), -100);
  assert.equal(bans.isBanned("kept", 200_000), false);
});

test("a ban by hand is not shortened by faults, and ending it forgives them", () => {
  const bans = createBanList();
  bans.ban(byHand("foe", 1e12), 0);
  for (let i = 0; i < 5; i++) bans.fault("foe", "again", false, i * 2_000);
  assert.deepEqual(bans.list(0), [byHand("foe", 1e12)]);
  assert.equal(bans.unban("foe", 10_000), true);
  assert.deepEqual([bans.isBanned("foe", 10_000), bans.score("foe", 10_000)], [false, 0]);
  assert.equal(bans.unban("foe", 10_000), false);
});

test("bans are bounded: those for faults make room, those by hand do not", () => {
  const bans = createBanList();
  for (let i = 0; i < 3; i++) bans.fault("liar", "again", false, i * 2_000);
  for (let i = 0; i < MAX_BANS; i++) assert.equal(bans.ban(byHand(`foe ${i}`, 1e12), 6_000), true);
  assert.equal(bans.isBanned("liar", 6_000), false);
  assert.equal(bans.ban(byHand("one more", 1e12), 6_000), false);
  assert.equal(bans.ban(byHand("foe 7", 2e12), 6_000), true);
  assert.equal(bans.list(1e12 + 1).length, 1);
});

test("faults of ever new names take no more memory, and the worst are remembered", () => {
  const bans = createBanList();
  bans.fault("liar", "first", false, 0);
  bans.fault("liar", "second", false, 2_000);
  for (let i = 0; i < 5_000; i++) bans.fault(`name ${i}`, "once", false, 3_000);
  assert.notEqual(bans.fault("liar", "third", false, 4_000), undefined);
  assert.equal(bans.score("name 0", 4_000), 0);
});

test("a clock that was ahead and is set back leaves no ban for faults for years, and no points", () => {
  const wrongMs = 10 * 365 * 86_400_000;
  const bans = createBanList();
  for (let i = 0; i < 3; i++) bans.fault("liar", "again", false, wrongMs + i * 2_000);
  bans.fault("clumsy", "once", false, wrongMs);
  bans.ban(byHand("foe", wrongMs + 1), wrongMs);
  assert.equal(bans.isBanned("liar", wrongMs + 5_000), true);
  assert.deepEqual([bans.isBanned("liar", 5_000), bans.isBanned("foe", 5_000)], [false, true]);
  assert.deepEqual(
    bans.list(5_000).map(({ subject }) => subject),
    ["foe"],
  );
  assert.equal(bans.score("clumsy", 5_000), 0);
});

test("case 32: bans from before a restart are in force, and end when they would have", () => {
  const bans = createBanList([byHand("foe", 5_000), byHand("192.0.2.1", 9_000)]);
  assert.deepEqual([bans.isBanned("foe", 4_999), bans.isBanned("foe", 5_000)], [true, false]);
  assert.deepEqual(
    bans.list(6_000).map(({ subject }) => subject),
    ["192.0.2.1"],
  );
});
