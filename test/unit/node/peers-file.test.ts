import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createPeersFile, decodePeers, encodePeers, readPeers } from "../../../src/node/peers-file.ts";
import { createManualClock, createManualTimers, silentLogger } from "../../../src/ports/index.ts";
import {
  type Ban,
  createPeerBook,
  type KnownPeer,
  MAX_BANS,
  MAX_REACHED_PEERS,
  MAX_UNPROVEN_PEERS,
} from "../../../src/sync/index.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";

const CHAIN = "c".repeat(64);
const PEER = "12D3KooWGRUVh8D7JjrRmwiHGdDCBiAtWqE8jMECRUqT3zTq7LsT";

function known(): readonly KnownPeer[] {
  const book = createPeerBook("self");
  book.reached(PEER, "/ip4/20.1.1.1/tcp/4001", "configured", 5);
  return book.list();
}
const ban: Ban = { subject: "20.9.9.9", sinceMs: 1, untilMs: 9, reason: "spam", byHand: true };

async function place(t: TestContext, content?: string) {
  const directory = await temporaryDirectory(t);
  const path = join(directory, "peers.json");
  if (content !== undefined) await writeFile(path, content);
  return { directory, path, chain: CHAIN };
}

test("known peers and bans come back as they were saved", () => {
  const kept = { peers: known(), bans: [ban, { ...ban, subject: PEER }] };
  assert.deepEqual(decodePeers(CHAIN, encodePeers(CHAIN, kept)), kept);
});

const whole = encodePeers(CHAIN, { peers: known(), bans: [ban] });
const changed = (change: (json: { peers: KnownPeer[]; bans: Ban[] }) => unknown): string => {
  const json = JSON.parse(whole) as { peers: KnownPeer[]; bans: Ban[] };
  return JSON.stringify({ ...json, ...(change(json) as object) });
};
const [peer] = known() as [KnownPeer];
const unusable: readonly [what: string, content: string, problem: RegExp][] = [
  ["nothing", "", /no JSON/],
  ["half a file", whole.slice(0, 100), /no JSON/],
  ["another thing", "[1, 2]", /damaged/],
  ["null", "null", /damaged/],
  ["a newer form", whole.replace("peers/1", "peers/2"), /form cumulo\/peers\/2/],
  ["another chain's", encodePeers("d".repeat(64), { peers: [], bans: [] }), /another chain's/],
  ["an unknown key", changed(() => ({ more: 1 })), /damaged/],
  ["a peer's name that is none", changed(() => ({ peers: [{ ...peer, peer: "x" }] })), /damaged/],
  [
    "an address that is none",
    changed(() => ({ peers: [{ ...peer, addresses: [{ address: "x", proof: "none" }] }] })),
    /damaged/,
  ],
  ["a peer without addresses", changed(() => ({ peers: [{ ...peer, addresses: [] }] })), /damaged/],
  ["a negative time", changed(() => ({ peers: [{ ...peer, lastReachedMs: -1 }] })), /damaged/],
  ["a time that no date has", changed(() => ({ bans: [{ ...ban, untilMs: 8.64e15 + 1 }] })), /damaged/],
  ["too many peers", changed(() => ({ peers: Array.from({ length: 1_001 }, () => peer) })), /damaged/],
  ["a ban of nobody", changed(() => ({ bans: [{ ...ban, subject: "everybody" }] })), /damaged/],
  ["megabytes", " ".repeat(5 * 1024 * 1024), /more than/],
];
for (const [what, content, problem] of unusable)
  test(`a file that holds ${what} stops no start: it is told of and put aside`, async (t) => {
    const { directory, path, chain } = await place(t, content);
    const logger = createRecordingLogger();
    assert.deepEqual(await readPeers({ path, chain }, logger), { peers: [], bans: [] });
    assert.match(String(logger.lines[0]?.["problem"]), problem);
    assert.equal(logger.lines[0]?.level, "warn");
    assert.deepEqual(await readdir(directory), ["peers.json.unusable"]);
    assert.equal(await readFile(`${path}.unusable`, "utf8"), content);
  });

test("the most that can be saved can be read again", async (t) => {
  const { path, chain } = await place(t);
  const nowMs = 1_795_596_466_654;
  const peers = Array.from({ length: MAX_REACHED_PEERS + MAX_UNPROVEN_PEERS }, () => ({
    ...peer,
    firstKnownMs: nowMs,
    lastReachedMs: nowMs,
    failures: 12,
    teller: "2001:db8:1111:2222:3333:4444:5555:6666",
    addresses: [1, 2, 3, 4].map((n) => ({
      address: `/ip6/2001:db8:1111:2222:3333:4444:5555:666${n}/tcp/65535`,
      proof: "reached" as const,
    })),
  }));
  const reason = String.fromCharCode(1).repeat(300);
  const bans = Array.from({ length: MAX_BANS }, () => ({
    ...ban,
    sinceMs: nowMs,
    untilMs: nowMs,
    subject: PEER,
    reason,
  }));
  await writeFile(path, encodePeers(CHAIN, { peers, bans }));
  const logger = createRecordingLogger();
  assert.equal((await readPeers({ path, chain }, logger)).bans.length, MAX_BANS);
  assert.deepEqual(logger.lines, []);
});

test("a missing file is no news, and a directory in its place stops no start", async (t) => {
  const { path, chain } = await place(t);
  const logger = createRecordingLogger();
  assert.deepEqual(await readPeers({ path, chain }, logger), { peers: [], bans: [] });
  assert.deepEqual(logger.lines, []);
  await mkdir(path);
  assert.deepEqual(await readPeers({ path, chain }, logger), { peers: [], bans: [] });
  assert.equal(logger.lines.length, 1);
});

test("it is saved soon where no peer was kept yet, every minute where something changed, when told to, and at the end, in which no timer is left", async (t) => {
  const { path, chain } = await place(t);
  const timers = createManualTimers(createManualClock());
  let bans: Ban[] = [];
  let peers: readonly KnownPeer[] = [];
  const file = createPeersFile(
    { current: () => ({ peers, bans }), timers, logger: silentLogger },
    { path, chain },
  );
  const saved = async () => await readFile(path, "utf8").catch(() => "");
  file.start();
  timers.advance(60_000);
  peers = known().slice(0, 1);
  assert.equal(await saved(), "");
  // The first ones soon, or a kill would leave the node without anybody.
  timers.advance(5_000);
  await until("the first are saved", async () => (await saved()) === encodePeers(CHAIN, { peers, bans: [] }));
  timers.advance(5_000);
  peers = known();
  timers.advance(59_000);
  const first = encodePeers(CHAIN, { peers: peers.slice(0, 1), bans: [] });
  assert.equal(await saved(), first);
  timers.advance(1_000);
  await until("the rest are saved", async () => (await saved()) === encodePeers(CHAIN, { peers, bans: [] }));
  bans = [ban];
  assert.equal(await file.save(), true);
  assert.ok((await saved()).includes("20.9.9.9"));
  bans = [];
  await file.stop({ save: true });
  assert.equal(await saved(), encodePeers(CHAIN, { peers, bans: [] }));
  assert.equal(timers.pending, 0);
});
