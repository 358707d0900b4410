import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "../../../src/ports/index.ts";
import {
  createPeerBook,
  type DialRules,
  type Endpoint,
  MAX_REACHED_PEERS,
  MAX_UNPROVEN_PEERS,
  type PeerBook,
  parseEndpoint,
  type Teller,
} from "../../../src/sync/index.ts";

const at = (ip: string) => parseEndpoint(`/ip4/${ip}/tcp/4001`) as Endpoint;
const told = (ip: string): Teller => ({ source: "exchanged", at: at(ip) });
const itself = (ip: string): Teller => ({ source: "announced", at: at(ip) });
const address = (ip: string, port = 4_001) => `/ip4/${ip}/tcp/${port}`;
const { fraction } = createSeededRandom(1);
const anything: DialRules = { isExcluded: () => false, isAvoided: () => false, isAlone: false, fraction };
const choose = (book: PeerBook, nowMs: number, rules: Partial<DialRules> = {}) =>
  book.choose({ ...anything, ...rules }, nowMs);
const tellAll = (
  book: PeerBook,
  reach: "loopback" | "private" | "public",
  connected: readonly string[] = [],
) =>
  book
    .tell(
      reach,
      64,
      { isExcluded: () => false, isConnected: (peer) => connected.includes(peer), fraction },
      1_000,
    )
    .map(({ peer, addresses }) => [peer, ...addresses].join(" "))
    .sort();
/** The i-th address of a public network of 16 bits. */
const ipOf = (network: number, i: number) =>
  `${20 + Math.floor(network / 250)}.${network % 250}.${Math.floor(i / 250)}.${1 + (i % 250)}`;

test("what is told is kept where it can be dialled and means the same here as there; nothing of this node itself", () => {
  const book = createPeerBook("self");
  book.learn("self", [address("20.1.1.1")], told("20.2.2.2"), 0);
  book.learn(
    "far",
    [address("127.0.0.1"), address("10.0.0.1"), "/dns4/example.org/tcp/1", "junk"],
    told("20.2.2.2"),
    0,
  );
  book.learn("near", [address("127.0.0.1"), address("10.0.0.1"), address("20.1.1.1")], told("10.0.0.2"), 0);
  book.learn("here", [`${address("127.0.0.1")}/p2p/here`], told("127.0.0.1"), 0);
  assert.deepEqual(
    book.list().map(({ peer, addresses }) => [peer, ...addresses.map((one) => one.address)]),
    [
      ["here", address("127.0.0.1")],
      ["near", address("10.0.0.1"), address("20.1.1.1")],
    ],
  );
});

test("a flood of invented peers from one network takes its own share only", () => {
  const book = createPeerBook("self");
  for (let i = 0; i < 50; i++) book.learn(`honest ${i}`, [address(ipOf(i, 1))], told(ipOf(i, 2)), i);
  for (let i = 0; i < 10; i++) book.reached(`friend ${i}`, address(ipOf(100 + i, 1)), "exchanged", i);
  for (let i = 0; i < 5_000; i++)
    book.learn(`fake ${i}`, [address(ipOf(i % 200, i))], told(`66.6.6.${i % 250}`), 100 + i);
  const names = book.list().map(({ peer }) => peer);
  assert.equal(names.filter((name) => name.startsWith("fake")).length, 64);
  assert.equal(names.filter((name) => name.startsWith("honest")).length, 50);
  assert.equal(names.filter((name) => name.startsWith("friend")).length, 10);
});

test("a flood from many networks fills what is free, and pushes out nobody who is alone in its network", () => {
  const book = createPeerBook("self");
  for (let i = 0; i < 100; i++) book.learn(`honest ${i}`, [address(ipOf(i, 1))], told(ipOf(i, 2)), i);
  for (let i = 0; i < 20_000; i++)
    book.learn(`fake ${i}`, [address(ipOf(i, 1))], told(`66.${i % 20}.6.6`), 100);
  const names = book.list().map(({ peer }) => peer);
  assert.equal(names.length, MAX_UNPROVEN_PEERS);
  assert.equal(names.filter((name) => name.startsWith("honest")).length, 100);
});

test("of those that were reached, the most crowded network gives way", () => {
  const book = createPeerBook("self");
  for (let i = 0; i < 40; i++) book.reached(`honest ${i}`, address(ipOf(i, 1)), "exchanged", 1 + i);
  for (let i = 0; i < 1_000; i++) book.reached(`sybil ${i}`, address(ipOf(200, i)), "exchanged", 100 + i);
  const names = book.list().map(({ peer }) => peer);
  assert.equal(names.length, MAX_REACHED_PEERS);
  assert.equal(names.filter((name) => name.startsWith("honest")).length, 40);
});

test("what others say of a peer's addresses takes the place of none that is proven", () => {
  const book = createPeerBook("self");
  book.reached("good", address("20.1.1.1"), "configured", 0);
  book.learn(
    "good",
    Array.from({ length: 10 }, (_, i) => address("66.6.6.6", i + 1)),
    told("66.6.6.6"),
    0,
  );
  book.learn("good", [address("20.1.1.1", 5_000)], itself("20.1.1.1"), 0);
  assert.deepEqual(book.get("good")?.addresses.slice(0, 2), [
    { address: address("20.1.1.1"), proof: "reached" },
    { address: address("20.1.1.1", 5_000), proof: "origin" },
  ]);
  assert.equal(book.get("good")?.addresses.length, 4);
});

test("told to others is what is proven: reached by a dial, or said by a connected peer of the IP it comes from", () => {
  const book = createPeerBook("self");
  book.learn("rumour", [address("20.1.1.1")], told("20.2.2.2"), 0);
  book.learn("liar", [address("8.8.8.8")], itself("20.3.3.3"), 0);
  book.learn("newcomer", [address("20.4.4.4"), address("8.8.8.8")], itself("20.4.4.4"), 0);
  book.reached("friend", address("20.5.5.5"), "exchanged", 1);
  assert.deepEqual(tellAll(book, "public", ["liar", "newcomer"]), [
    `friend ${address("20.5.5.5")}`,
    `newcomer ${address("20.4.4.4")}`,
  ]);
  assert.deepEqual(tellAll(book, "public"), [`friend ${address("20.5.5.5")}`]);
  book.learn("newcomer", [address("20.4.4.4")], itself("20.9.9.9"), 0);
  assert.deepEqual(tellAll(book, "public", ["newcomer"]), [`friend ${address("20.5.5.5")}`]);
  for (let i = 0; i < 3; i++) book.failed("friend", 2);
  assert.deepEqual(tellAll(book, "public"), []);
});

test("loopback is told to loopback only, private addresses only within private networks", () => {
  const book = createPeerBook("self");
  for (const ip of ["127.0.0.1", "10.0.0.1", "20.1.1.1"])
    book.reached(`at ${ip}`, address(ip), "exchanged", 1);
  const publicOne = `at 20.1.1.1 ${address("20.1.1.1")}`;
  const privateOne = `at 10.0.0.1 ${address("10.0.0.1")}`;
  assert.deepEqual(tellAll(book, "public"), [publicOne]);
  assert.deepEqual(tellAll(book, "private"), [privateOne, publicOne]);
  assert.deepEqual(tellAll(book, "loopback"), [
    privateOne,
    `at 127.0.0.1 ${address("127.0.0.1")}`,
    publicOne,
  ]);
});

test("a peer that fails is tried later and later, at its other addresses too, and one never reached is forgotten", () => {
  const book = createPeerBook("self");
  book.learn("away", [address("20.1.1.1"), address("20.1.1.1", 2)], told("20.2.2.2"), 0);
  let nowMs = 0;
  const waits: number[] = [];
  const ports = new Set<string | undefined>();
  for (let i = 0; i < 4; i++) {
    ports.add(choose(book, nowMs)?.address);
    book.failed("away", nowMs);
    const failedMs = nowMs;
    while (choose(book, nowMs) === undefined) nowMs += 10_000;
    waits.push((nowMs - failedMs) / 1_000);
  }
  assert.deepEqual(waits, [30, 60, 120, 240]);
  assert.equal(ports.size, 2);
  book.failed("away", nowMs + 8 * 24 * 3_600_000);
  assert.equal(book.size, 0);
});

test("a peer that was reached once is remembered through a week of failures", () => {
  const book = createPeerBook("self");
  book.reached("friend", address("20.1.1.1"), "exchanged", 1);
  for (let i = 0; i < 100; i++) book.failed("friend", 6 * 24 * 3_600_000);
  assert.equal(book.size, 1);
  book.failed("friend", 8 * 24 * 3_600_000);
  assert.equal(book.size, 0);
});

test("a choice leaves out who is excluded and where too many go, and takes reached and unproven ones in turn", () => {
  const book = createPeerBook("self");
  for (let i = 0; i < 5; i++) book.reached(`friend ${i}`, address(ipOf(i, 1)), "exchanged", 1);
  for (let i = 0; i < 500; i++)
    book.learn(`rumour ${i}`, [address(ipOf(10 + (i % 200), i))], told(ipOf(i, 2)), 1);
  const nowMs = 60_000;
  const picks = Array.from({ length: 400 }, () => choose(book, nowMs)?.peer ?? "");
  const friends = picks.filter((name) => name.startsWith("friend")).length;
  assert.ok(friends > 120 && friends < 280, `${friends} of 400 were reached before`);
  const only = choose(book, nowMs, {
    isExcluded: (peer) => !["friend 1", "friend 2"].includes(peer),
    isAvoided: ({ group }) => group === at(ipOf(1, 1)).group,
  });
  assert.deepEqual(only, { peer: "friend 2", address: `${address(ipOf(2, 1))}/p2p/friend 2` });
  assert.equal(choose(book, nowMs, { isAvoided: () => true }), undefined);
});

test("what was known comes back whole from a list, within the same bounds", () => {
  const book = createPeerBook("self");
  book.reached("friend", address("20.1.1.1"), "configured", 5);
  book.learn("rumour", [address("20.3.3.3")], told("20.2.2.2"), 6);
  const again = createPeerBook("self", book.list());
  assert.deepEqual(again.list(), book.list());
  assert.equal(createPeerBook("friend", book.list()).size, 1);
});

test("a clock that was ahead and is set back keeps nobody from being dialled, or from being forgotten", () => {
  const wrongMs = 365 * 86_400_000;
  const book = createPeerBook("self");
  book.reached("a", address("20.1.1.1"), "exchanged", wrongMs);
  assert.equal(choose(book, wrongMs + 1_000), undefined);
  assert.equal(choose(book, 1_000)?.peer, "a");
  assert.deepEqual(tellAll(book, "public"), [], "when it was reached is not known");
  for (let i = 0; i < 10; i++) book.failed("a", 1_000 + i);
  assert.equal(book.get("a"), undefined);
});

/** A liar tells first, and goes on, where a peer is not; one in ten minutes tells where it is. Dials until that is tried. */
function dialsOfVictims(namesPerAsk: number, hours: number) {
  const book = createPeerBook("self");
  const startMs = 1.8e12;
  const victims = ["66.6.6.1", "66.6.6.2", "66.6.6.3", "66.6.6.4"].map((ip) => address(ip));
  let dials = 0;
  let asks = 0;
  let foundAfterMs: number | undefined;
  for (let nowMs = startMs; nowMs < startMs + hours * 3_600_000; nowMs += 10_000) {
    if ((nowMs - startMs) % 60_000 === 0) {
      for (let i = 0; i < namesPerAsk; i++) book.learn(`name ${asks} ${i}`, victims, told("66.6.1.1"), nowMs);
      asks += 1;
      book.learn("honest", victims, told("66.6.1.1"), nowMs);
      book.learn("honest", [address("20.1.1.1")], told("30.1.1.1"), nowMs);
    }
    const choice = choose(book, nowMs);
    if (choice === undefined) continue;
    if (choice.address.includes("20.1.1.1")) foundAfterMs ??= nowMs - startMs;
    else dials += 1;
    book.failed(choice.peer, nowMs, choice.address);
  }
  return { dials, foundAfterMs };
}

test("a liar that tells first where a peer is does not keep it from being found where it is", () => {
  const { foundAfterMs = Number.POSITIVE_INFINITY } = dialsOfVictims(0, 1);
  assert.ok(foundAfterMs <= 10 * 60_000, `after ${foundAfterMs} ms`);
});

test("a liar with ever new names has nobody bothered more than some times a day", () => {
  const { dials } = dialsOfVictims(8, 24);
  assert.ok(dials <= 4 * 16, `${dials} dials of four victims`);
});

test("a node that was offline for long finds its network again within minutes, however often nobody answered", () => {
  const book = createPeerBook("self");
  book.reached("a", address("20.1.1.1"), "exchanged", 1);
  for (let i = 0; i < 9; i++) book.failed("a", 1_000);
  assert.equal(choose(book, 301_000), undefined);
  assert.equal(choose(book, 300_999, { isAlone: true }), undefined, "but not at once");
  assert.equal(choose(book, 301_000, { isAlone: true })?.peer, "a");
});

test("dead ports that somebody names at a node's IP keep nobody from a node that came from there itself", () => {
  const book = createPeerBook("self");
  book.learn("victim", [address("20.1.1.1")], { ...told("20.1.1.1"), source: "announced" }, 1);
  for (let i = 0; i < 5; i++) book.failed(`name ${i}`, 1_000, address("20.1.1.1"));
  assert.equal(choose(book, 2_000)?.peer, "victim");
  book.learn("another", [address("20.1.1.1")], told("66.6.1.1"), 2_000);
  book.forget("victim");
  assert.equal(choose(book, 3_000), undefined, "whoever is only said to be there waits");
});

test("once a dial of ours reaches somebody at an IP, others that are said to be there wait no longer", () => {
  const book = createPeerBook("self");
  book.failed("nobody", 1_000, address("20.1.1.1"));
  book.learn("another", [address("20.1.1.1")], told("30.1.1.1"), 1_000);
  assert.equal(choose(book, 2_000), undefined);
  book.reached("a", address("20.1.1.1"), "exchanged", 2_000);
  assert.equal(choose(book, 3_000)?.peer, "another");
});
