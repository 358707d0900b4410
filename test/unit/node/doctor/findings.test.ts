import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NODE_FINDINGS, type NodeFindingCode } from "../../../../src/api/index.ts";
import type { Facts, PeerFact } from "../../../../src/node/doctor/facts.ts";
import { diagnose, shareUnderWay } from "../../../../src/node/doctor/index.ts";

const NOW = 1_767_225_600_000;
const MIB = 1024 * 1024;
const block = (height: number, work = height * 10, id = `${height}`.padStart(64, "a")) => ({
  id,
  height,
  work: BigInt(work),
});
const peer = (stand: PeerFact["stand"], work = 100, forkPoint?: PeerFact["forkPoint"]): PeerFact => ({
  peer: "12D3KooWGRUVh8D7JjrRmwiHGdDCBiAtWqE8jMECRUqT3zTq7LsT",
  claim: stand === "silent" ? undefined : block(10, work, "b".repeat(64)),
  stand,
  forkPoint,
});
const refusal = (rule: "HDR-09" | "BLK-02", from = "12D3KooWpeer", ageMs = 1_000) => ({
  block: "c".repeat(64),
  height: 11,
  rule,
  detail: "why",
  isPermanent: rule !== "HDR-09",
  peer: from,
  timeMs: NOW - ageMs,
  times: 1,
});
const SYNCING = {
  targetHeight: 100,
  blocksTotal: 90,
  blocksDone: 10,
  blocksPerSecond: 5,
  remainingMs: null,
  peers: ["12D3KooWpeer"],
};

/** A node with which all is well. */
const WELL: Facts = {
  nowMs: NOW,
  uptimeMs: 60_000,
  intervalMs: 2_000,
  driftMs: 2_000,
  head: { ...block(10), timestampMs: NOW - 1_000 },
  stopped: undefined,
  state: { state: "synced", reason: "1 peer claims no more work", sync: null, obstacle: null, tied: [] },
  lastBlockAgoMs: 1_000,
  isMining: false,
  peers: [peer("same")],
  configured: [],
  passedOver: [],
  refusals: [],
  orphans: [],
  gossipDelays: { delaysMs: [20, 30, 25, 40, 35], peers: 1 },
  bans: [],
  links: [],
  inboundEver: 0,
  isOpenToOthers: false,
  closedAddresses: [],
  disk: { freeBytes: 90_000 * MIB, totalBytes: 100_000 * MIB },
  mempool: { transactions: 1, bytes: 205, maxTransactions: 200_000, maxBytes: 64 * MIB },
  busyRatio: 0.1,
  attack: null,
  hasHistory: true,
  hasTimeline: true,
};

const codesOf = (facts: Partial<Facts>): string[] => diagnose({ ...WELL, ...facts }).map(({ code }) => code);

const CASES: readonly (readonly [what: string, facts: Partial<Facts>, codes: readonly NodeFindingCode[]])[] =
  [
    ["is well", {}, []],
    ["has no peer and none to dial", { peers: [] }, ["NO_PEERS"]],
    [
      "reaches one of two configured peers",
      {
        configured: [
          { address: "/ip4/127.0.0.1/tcp/1", isConnected: true, isRefused: false, problem: undefined },
          {
            address: "/ip4/127.0.0.1/tcp/2",
            isConnected: false,
            isRefused: false,
            problem: "connection refused",
          },
        ],
      },
      ["PEER_UNREACHABLE"],
    ],
    ["stands with two peers of three", { peers: [peer("same"), peer("same"), peer("other")] }, []],
    [
      "stands alone against two of three",
      { peers: [peer("same"), peer("other"), peer("other")] },
      ["MINORITY_FORK"],
    ],
    ["hears of more work that nobody has shown", { peers: [peer("ahead", 200)] }, ["CLAIM_NOT_SHOWN"]],
    [
      "passes over a better branch that breaks a rule",
      { passedOver: [{ ...block(12), rule: "STA-01" }] },
      ["BETTER_BRANCH_REFUSED"],
    ],
    [
      "passes over a better branch that its operator set aside",
      { passedOver: [{ ...block(12), rule: undefined }] },
      ["BETTER_BRANCH_INVALIDATED"],
    ],
    ["refused a block a moment ago", { refusals: [refusal("BLK-02")] }, ["BLOCKS_REFUSED"]],
    ["refused a block an hour ago", { refusals: [refusal("BLK-02", "12D3KooWpeer", 3_600_000)] }, []],
    [
      "waits for a parent",
      { orphans: [{ id: "d".repeat(64), parent: "e".repeat(64), height: 12, from: "12D3KooWpeer" }] },
      ["PARENT_MISSING"],
    ],
    [
      "is tied and does not mine",
      { state: { ...WELL.state, tied: [{ id: "b".repeat(64), height: 10, work: "64" }] } },
      ["TIED"],
    ],
    [
      "is tied and mines",
      { isMining: true, state: { ...WELL.state, tied: [{ id: "b".repeat(64), height: 10, work: "64" }] } },
      [],
    ],
    [
      "stands still, as its peers do",
      { head: { ...WELL.head, timestampMs: NOW - 61_000 } },
      ["NO_NEW_BLOCKS"],
    ],
    ["stands still and mines", { isMining: true, head: { ...WELL.head, timestampMs: NOW - 61_000 } }, []],
    ["syncs", { state: { ...WELL.state, state: "syncing", sync: SYNCING } }, ["SYNCING"]],
    [
      "syncs, and nothing comes",
      { state: { ...WELL.state, state: "syncing", sync: SYNCING }, lastBlockAgoMs: 45_000 },
      ["SYNC_STALLED"],
    ],
    [
      "needs what its peers have pruned",
      { state: { ...WELL.state, obstacle: { code: "PEERS_PRUNED", neededHeight: 3, firstHeight: 100 } } },
      ["PEERS_PRUNED"],
    ],
    [
      "is cut off from the best branch",
      {
        state: {
          ...WELL.state,
          obstacle: { code: "BRANCH_CUT_OFF", forkHeight: 3, work: "ff", firstHeight: 100 },
        },
      },
      ["BRANCH_CUT_OFF"],
    ],
    ["refused a block from the future", { refusals: [refusal("HDR-09")] }, ["CLOCK_SLOW"]],
    ["has a head from the future", { head: { ...WELL.head, timestampMs: NOW + 1_500 } }, ["CLOCK_SLOW"]],
    [
      "gets blocks that are all old by its clock",
      { gossipDelays: { delaysMs: [30_000, 31_000, 30_500, 30_200, 29_900], peers: 2 } },
      ["CLOCK_FAST"],
    ],
    ["got one old block", { gossipDelays: { delaysMs: [60_000, 20, 30, 20, 25], peers: 1 } }, []],
    [
      "keeps a peer away",
      { bans: [{ subject: "203.0.113.7", reason: "by an operator", untilMs: NOW + 1 }] },
      ["PEERS_BANNED"],
    ],
    [
      "refuses one peer and shapes another",
      {
        links: [
          { peer: "12D3KooWa", mode: "refuse", out: null, in: null, untilMs: null },
          { peer: "12D3KooWb", mode: "shape", out: { delayMs: 80 }, in: null, untilMs: null },
        ],
      },
      ["LINKS_REFUSED", "LINKS_SHAPED"],
    ],
    [
      "announces an address that does not answer",
      { closedAddresses: [{ address: "/ip4/203.0.113.7/tcp/4001", problem: "the connection is refused" }] },
      ["PORT_CLOSED"],
    ],
    ["was never visited in an hour", { isOpenToOthers: true, uptimeMs: 3_600_000 }, ["NOBODY_CAME_IN"]],
    ["was never visited in a minute", { isOpenToOthers: true }, []],
    [
      "has a gigabyte less than it should",
      { disk: { freeBytes: 500 * MIB, totalBytes: 1_000 * MIB } },
      ["DISK_NEARLY_FULL"],
    ],
    ["has no room", { disk: { freeBytes: 3 * MIB, totalBytes: 1_000 * MIB } }, ["DISK_FULL"]],
    ["has a full mempool", { mempool: { ...WELL.mempool, bytes: 64 * MIB } }, ["MEMPOOL_FULL"]],
    ["has no time", { busyRatio: 0.97 }, ["EVENT_LOOP_BUSY"]],
    ["attacks", { attack: "withhold" }, ["ATTACK_ROLE"]],
    [
      "keeps neither history nor timeline",
      { hasHistory: false, hasTimeline: false },
      ["HISTORY_OFF", "TIMELINE_OFF"],
    ],
    ["has a chain that stopped", { stopped: "the chain stopped: no space left" }, ["CHAIN_STOPPED"]],
  ];

describe("the findings of a node that", () => {
  for (const [what, facts, codes] of CASES)
    it(`${what} are ${codes.join(" and ") || "none"}`, () => assert.deepEqual(codesOf(facts), codes));

  it("refuses a better branch is a problem only where peers follow that branch", () => {
    const passedOver = [{ ...block(12), rule: "STA-01" }];
    const severityWith = (...peers: PeerFact[]) => diagnose({ ...WELL, passedOver, peers })[0]?.severity;
    assert.equal(severityWith(peer("same")), "warning");
    assert.equal(severityWith(peer("same"), peer("same"), peer("other", 120)), "problem");
  });

  it("has several come with problems first, each with a sentence and what to do", () => {
    const found = diagnose({
      ...WELL,
      peers: [],
      busyRatio: 1,
      hasHistory: false,
      stopped: "the chain stopped",
    });
    assert.deepEqual(
      found.map(({ severity }) => severity),
      ["problem", "problem", "warning", "note"],
    );
    for (const { summary, advice } of found) assert.ok(summary.length > 10 && advice.length > 10);
  });

  it("stands alone name the fork point, the work of both sides and how sure a clock's finding is", () => {
    const [fork] = diagnose({ ...WELL, peers: [peer("other", 130, block(7))] });
    assert.equal(fork?.severity, "problem");
    assert.match(
      fork.summary,
      /^1 of 1 peer is on another branch, with work 130 against ours of 100; it left ours after block 7/,
    );
    assert.deepEqual(fork.details["forkPoint"], { id: block(7).id, height: 7, work: "46" });
    const [one] = diagnose({ ...WELL, refusals: [refusal("HDR-09")] });
    assert.equal(one?.details["confidence"], "possible");
    const two = [
      refusal("HDR-09", "12D3KooWa"),
      { ...refusal("HDR-09", "12D3KooWb"), block: "f".repeat(64) },
    ];
    const [several] = diagnose({ ...WELL, refusals: two });
    assert.equal(several?.details["confidence"], "probable");
    assert.equal(several?.severity, "problem");
  });
});

it("every finding of a node is tried here", () => {
  const tried = new Set<string>(CASES.flatMap(([, , codes]) => codes));
  assert.deepEqual(
    NODE_FINDINGS.filter((code) => !tried.has(code)),
    [],
  );
});

describe("what the doctor says", () => {
  it("of a node that refuses all its peers is the refusal, and not that they do not answer", () => {
    const configured = ["1", "2"].map((port) => ({
      address: `/ip4/127.0.0.1/tcp/${port}`,
      isConnected: false,
      isRefused: true,
      problem: "refused here",
    }));
    const [one] = diagnose({ ...WELL, peers: [], configured });
    assert.deepEqual([one?.code, one?.severity], ["NO_PEERS", "warning"]);
    assert.match(one?.summary ?? "", /this node refuses all 2 configured peers, as it was told to$/);
    const [other] = diagnose({
      ...WELL,
      peers: [],
      configured: configured.map((peer) => ({ ...peer, isRefused: false })),
    });
    assert.match(other?.summary ?? "", /none of 2 configured peers answers/);
  });

  it("is made once for all who ask at the same time, and anew for the next", async () => {
    let made = 0;
    const ask = shareUnderWay(async () => {
      made++;
      await Promise.resolve();
      if (made === 2) throw new Error("once");
      return made;
    });
    assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [1, 1, 1]);
    await assert.rejects(ask(), /once/);
    assert.equal(await ask(), 3);
  });
});
