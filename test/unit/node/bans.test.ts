import assert from "node:assert/strict";
import { test } from "node:test";
import { createBans } from "../../../src/node/bans.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryNetworkHub,
  silentLogger,
} from "../../../src/ports/index.ts";
import { createBanList } from "../../../src/sync/index.ts";

async function createLab() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const hub = createMemoryNetworkHub({ clock, timers });
  const [network, other] = [hub.join("self"), hub.join("other")];
  await Promise.all([network.start(), other.start()]);
  const wanted = new Set<string>();
  const happened: string[] = [];
  const disk = { isFull: false };
  const banList = createBanList();
  const bans = createBans({
    network,
    supervisor: { wanted: () => wanted, redialNow: () => happened.push("redial") },
    banList,
    clock,
    logger: silentLogger,
    save: async () => {
      happened.push("save");
      return !disk.isFull;
    },
  });
  const connect = () => network.dial("/memory/other");
  const isConnected = () => network.connections().length > 0;
  /** Faults far enough apart to count, each on a new connection. */
  async function fault(times: number) {
    for (let i = 0; i < times; i++) {
      await connect();
      network.punish("other", `fault ${i + 1}`);
      clock.advance(1_000);
    }
  }
  return { clock, network, disk, wanted, happened, banList, bans, connect, isConnected, fault };
}

test("a peer's third fault in a short time bans it, and the ban is saved at once", async () => {
  const { clock, banList, bans, happened, fault } = await createLab();
  await fault(2);
  assert.deepEqual([bans.score("other") < -70, bans.list(), happened], [true, [], []]);
  await fault(1);
  assert.deepEqual(
    bans.list().map(({ subject, reason, byHand }) => [subject, reason, byHand]),
    [["other", "fault 1", false]],
  );
  assert.deepEqual(happened, ["save"]);
  clock.advance(60 * 60_000);
  assert.equal(banList.isBanned("other", clock.nowMs()), false);
});

test("a peer that is wanted loses its connection for each fault, and is never banned", async () => {
  const { wanted, bans, connect, isConnected, fault } = await createLab();
  wanted.add("other");
  await fault(20);
  assert.deepEqual([bans.list(), bans.score("other"), isConnected()], [[], -100, false]);
  await connect();
  assert.ok(isConnected());
});

test("a ban by hand disconnects, of a wanted peer too, and its end redials", async () => {
  const { wanted, bans, connect, isConnected, happened } = await createLab();
  wanted.add("other");
  await connect();
  assert.equal(bans.ban("other", 60_000, "for the test")?.byHand, true);
  assert.equal(isConnected(), false);
  assert.deepEqual([bans.unban("other"), bans.unban("other")], [true, false]);
  assert.deepEqual(happened.slice(0, 3), ["save", "save", "redial"]);
});

test("the end of a ban that could not be saved is saved once it is asked for again", async () => {
  const { bans, disk } = await createLab();
  bans.ban("20.1.1.1", 60_000, "for the test");
  disk.isFull = true;
  assert.equal(bans.unban("20.1.1.1"), true);
  assert.equal(await bans.saved(), false);
  disk.isFull = false;
  assert.equal(bans.unban("20.1.1.1"), false);
  assert.equal(await bans.saved(), true);
});
