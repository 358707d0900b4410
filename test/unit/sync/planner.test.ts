import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { createForkTree, refuse, refuseForNow, refuseMutated } from "../../../src/consensus/index.ts";
import type { Block, BlockId } from "../../../src/primitives/index.ts";
import { createSyncPlanner, type SyncEffect, type SyncPlanner } from "../../../src/sync/index.ts";
import { createBlockBuilder, testGenesis } from "../../support/block-builder.ts";

const genesis = testGenesis();
const builder = createBlockBuilder(genesis);
/** The chain that peers have: more than one window of blocks, and than may wait for import. */
const blocks = builder.extend(300);
const ids = blocks.map(({ header }) => header.id);
const nowMs = genesis.spec.genesisTimestampMs + 365 * 86_400_000;

interface Lab {
  readonly planner: SyncPlanner;
  /** Takes blocks into the chain as its writer would. */
  connect(...taken: readonly Block[]): void;
}

/** A planner over a chain of nothing but a tree. */
function createLab(invalid: ReadonlySet<BlockId> = new Set()): Lab {
  const { id, parent, header } = genesis.block.header;
  const { timestampMs, difficulty } = header.core;
  const tree = createForkTree({ id, parent, height: 0, timestampMs, difficulty, arrival: 0 });
  let arrival = 1;
  const best = () => tree.best();
  const planner = createSyncPlanner(
    { spec: genesis.spec, chainId: genesis.chainId },
    {
      head: best,
      get: (one) => tree.get(one),
      idAt: (height) => (height > best().height ? undefined : tree.ancestorAt(best().id, height).id),
      isKnownInvalid: (one) => invalid.has(one),
    },
  );
  return {
    planner,
    connect(...taken) {
      for (const { header: sealed } of taken) {
        const { height, timestampMs: time, difficulty: work } = sealed.header.core;
        tree.insert({
          id: sealed.id,
          parent: sealed.parent,
          height,
          timestampMs: time,
          difficulty: work,
          arrival: arrival++,
        });
      }
    },
  };
}

const statusAt = (height: number, work = BigInt(height) * 16n) => ({
  head: ids[height - 1] ?? "ff".repeat(32),
  height,
  work,
});
const headersOf = (some: readonly Block[]) => some.map(({ header }) => header);
const kinds = (effects: readonly SyncEffect[]) => effects.map(({ kind, peer }) => `${kind} ${peer}`);
const asked = (effects: readonly SyncEffect[]): readonly BlockId[] =>
  effects.flatMap((effect) => (effect.kind === "request-blocks" ? effect.ids : []));

/** Everything the planner asks of peers that answer as they should, until it asks for nothing more. */
function runToEnd({ planner, connect }: Lab, first: readonly SyncEffect[]): string[] {
  const queue = [...first];
  const seen: string[] = [];
  for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
    seen.push(`${effect.kind} ${effect.peer}`);
    if (effect.kind === "request-headers") {
      const from = blocks.findIndex(({ header }) => effect.locator.includes(header.id)) + 1;
      queue.push(...planner.headers(effect.peer, headersOf(blocks.slice(from)), nowMs));
    }
    if (effect.kind === "request-blocks") {
      queue.push(...planner.bodies(effect.peer, effect.ids));
      for (const id of effect.ids) {
        const block = blocks[ids.indexOf(id)];
        if (block !== undefined) connect(block);
        queue.push(...planner.imported(effect.peer, id, { ok: true }));
      }
    }
  }
  return seen;
}

test("a better claim is followed headers first, then bodies in windows, and the peer is asked again at the end", () => {
  const lab = createLab();
  const seen = runToEnd(lab, lab.planner.peerStatus("a", statusAt(300)));
  assert.deepEqual(seen, [
    "request-headers a",
    ...Array.from({ length: Math.ceil(300 / 64) }, () => "request-blocks a"),
    "request-status a",
  ]);
  assert.equal(lab.planner.progress, undefined);
});

test("a claim of no more work than ours asks for nothing; a tie with an unknown head is fetched", () => {
  const { planner, connect } = createLab();
  connect(...blocks.slice(0, 10));
  assert.deepEqual(planner.peerStatus("a", statusAt(10)), []);
  assert.deepEqual(planner.peerStatus("a", statusAt(3)), []);
  const rival = { head: "ee".repeat(32), height: 10, work: 160n };
  assert.deepEqual(kinds(planner.peerStatus("b", rival)), ["request-headers b"]);
});

test("the peer with most claimed work is asked first, and only one at a time", () => {
  const { planner } = createLab();
  assert.deepEqual(kinds(planner.peerStatus("a", statusAt(5))), ["request-headers a"]);
  assert.deepEqual(planner.peerStatus("b", statusAt(9)), []);
  assert.deepEqual(planner.peerStatus("c", statusAt(7)), []);
  assert.deepEqual(kinds(planner.peerGone("a")), ["request-headers b"]);
});

test("case 31: when a peer is lost in the middle of the bodies, another goes on where it stopped", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  const first = asked(planner.headers("a", headersOf(blocks), nowMs));
  assert.deepEqual(first, ids.slice(0, 64));
  const second = asked(planner.bodies("a", first));
  assert.deepEqual(second, ids.slice(64, 128));
  connect(...blocks.slice(0, 64));
  for (const id of first) planner.imported("a", id, { ok: true });
  const effects = planner.peerGone("a");
  assert.deepEqual(kinds(effects), ["request-blocks b"]);
  assert.deepEqual(asked(effects), ids.slice(64, 128), "nothing that came is fetched twice");
  assert.deepEqual(planner.bodies("a", second), [], "a late answer of the lost peer changes nothing");
});

test("a peer that claims less than the headers show does not take over; the sync starts anew with it", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(40));
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.failed("a")), ["request-headers b"]);
});

test("a peer that failed is not asked again before it says something new", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(30));
  assert.deepEqual(planner.failed("a"), []);
  assert.equal(planner.progress, undefined);
  assert.deepEqual(kinds(planner.peerStatus("a", statusAt(30))), ["request-headers a"]);
});

test("no more than some blocks wait for import; asking goes on as they are taken", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  let next = asked(planner.headers("a", headersOf(blocks), nowMs));
  let coming = 0;
  while (next.length > 0) {
    coming += next.length;
    next = asked(planner.bodies("a", next));
  }
  assert.equal(coming, 256, "four windows");
  assert.deepEqual(asked(planner.imported("a", ids[0] as string, { ok: true })), ids.slice(256, 300));
});

for (const [what, height, headers] of [
  ["nothing at all", 0, []],
  ["only what is known already", 5, headersOf(blocks.slice(0, 5))],
] as const) {
  test(`a peer that claims more work and shows ${what} is dropped`, () => {
    const { planner, connect } = createLab();
    connect(...blocks.slice(0, height));
    planner.peerStatus("liar", statusAt(300));
    const effects = planner.headers("liar", headers, nowMs);
    assert.deepEqual(kinds(effects), ["disconnect liar"]);
    assert.equal(planner.progress, undefined);
  });
}

test("a peer that shows what it claims is not dropped because it came another way meanwhile", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(5));
  connect(...blocks.slice(0, 5));
  assert.deepEqual(kinds(planner.headers("a", headersOf(blocks.slice(0, 5)), nowMs)), ["request-status a"]);
});

test("a peer whose headers end with less work than it claimed is dropped, and nothing of it fetched", () => {
  const { planner, connect } = createLab();
  connect(...blocks.slice(0, 10));
  const rival = createBlockBuilder(genesis).extend(4, { proposer: "rival" });
  planner.peerStatus("a", statusAt(300));
  assert.deepEqual(kinds(planner.headers("a", headersOf(rival), nowMs)), ["disconnect a"]);
  assert.equal(planner.progress, undefined);
});

test("a peer that leaves three requests in a row unanswered loses its connection", () => {
  const { planner } = createLab();
  for (const expected of [[], [], ["disconnect a"]]) {
    planner.peerStatus("a", statusAt(30));
    assert.deepEqual(kinds(planner.failed("a")), expected);
  }
});

test("an answer in between clears a peer's failures", () => {
  const { planner } = createLab();
  for (let i = 0; i < 10; i++) {
    planner.peerStatus("a", statusAt(300));
    planner.headers("a", headersOf(blocks), nowMs);
    assert.deepEqual(planner.failed("a"), []);
  }
});

test("claims alone are not work: only checked headers count as a better chain", () => {
  const { planner } = createLab();
  planner.peerStatus("a", { head: "ff".repeat(32), height: 9, work: 2n ** 255n });
  assert.equal(planner.shownWork, 0n);
  planner.peerGone("a");
  planner.peerStatus("b", statusAt(30));
  planner.headers("b", headersOf(blocks.slice(0, 30)), nowMs);
  assert.equal(planner.shownWork, 480n);
});

test("a header ahead of our clock is waited for, not asked for in a loop", () => {
  const { planner } = createLab();
  const early = genesis.spec.genesisTimestampMs - genesis.spec.driftMs;
  planner.peerStatus("a", statusAt(30));
  assert.deepEqual(planner.headers("a", headersOf(blocks.slice(0, 30)), early), []);
  assert.equal(planner.progress, undefined);
});

test("headers that do not follow each other, lack work, or build on an invalid block cost the connection", () => {
  const wrong = createBlockBuilder(genesis);
  const unmined = wrong.build({ unmined: true });
  const [first, second, third] = blocks as [Block, Block, Block];
  const cases: readonly (readonly [readonly Block[], RegExp])[] = [
    [[first, third], /HDR-11/],
    [[second, third], /HDR-11/],
    [[unmined], /HDR-03/],
    [[first, second, third], /HDR-12/],
  ];
  for (const [shown, reason] of cases) {
    const { planner } = createLab(new Set(reason.source === "HDR-12" ? [second.header.id] : []));
    planner.peerStatus("liar", statusAt(300));
    const [effect] = planner.headers("liar", headersOf(shown), nowMs);
    assert.equal(effect?.kind, "disconnect");
    assert.match(effect?.kind === "disconnect" ? effect.reason : "", reason);
  }
});

test("case 14: headers too far ahead of the clock end the chain there, and nobody is blamed", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  const earlyMs = (blocks[9]?.header.header.core.timestampMs ?? 0) - genesis.spec.driftMs;
  const effects = planner.headers("a", headersOf(blocks), earlyMs);
  assert.deepEqual(kinds(effects), ["request-blocks a"]);
  assert.deepEqual(asked(effects), ids.slice(0, 10));
});

test("a peer that has not the blocks of its own headers is dropped, and another goes on", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.bodies("a", [])), ["disconnect a", "request-blocks b"]);
});

test("case 30: a mutated body is fetched again from another peer, whatever its sender's other blocks come to", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  const window = asked(planner.headers("a", headersOf(blocks), nowMs));
  planner.bodies("a", window);
  connect(...blocks.slice(0, 20));
  for (const id of window.slice(0, 20)) planner.imported("a", id, { ok: true });
  const refusal = refuseMutated("BLK-02", "not the header's");
  const effects = planner.imported("a", ids[20] as string, { ok: false, refusal });
  assert.deepEqual(kinds(effects), ["disconnect a", "request-blocks b"]);
  assert.deepEqual(asked(effects), ids.slice(20, 84));
  const orphaned = { ok: false as const, refusal: refuseForNow("HDR-11", "parent unknown") };
  for (const id of window.slice(21)) assert.deepEqual(planner.imported("a", id, orphaned), []);
  assert.equal(planner.progress?.peer, "b", "the sync goes on");
  assert.deepEqual(asked(planner.bodies("b", ids.slice(20, 84))), ids.slice(84, 148));
});

test("a mutated last body whose sender has left is fetched from the peer that took over", () => {
  const { planner, connect } = createLab();
  planner.peerStatus("a", statusAt(20));
  planner.peerStatus("b", statusAt(20));
  const window = asked(planner.headers("a", headersOf(blocks.slice(0, 20)), nowMs));
  planner.bodies("a", window);
  connect(...blocks.slice(0, 19));
  for (const id of window.slice(0, 19)) planner.imported("a", id, { ok: true });
  assert.deepEqual(planner.peerGone("a"), [], "nothing is left to ask b for");
  const refusal = refuseMutated("BLK-02", "not the header's");
  const effects = planner.imported("a", ids[19] as string, { ok: false, refusal });
  assert.deepEqual(kinds(effects), ["disconnect a", "request-blocks b"]);
  assert.deepEqual(asked(effects), [ids[19]]);
});

test("a peer on another branch does not go on with the lost one's bodies, and is not blamed for lacking them", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", { head: "ab".repeat(32), height: 300, work: 300n * 16n });
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.failed("a")), ["request-headers b"]);
});

test("a peer that took over and changed its branch since is replaced, not blamed", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.peerStatus("b", statusAt(300));
  planner.headers("a", headersOf(blocks), nowMs);
  assert.deepEqual(kinds(planner.failed("a")), ["request-blocks b"]);
  assert.deepEqual(planner.bodies("b", []), []);
  assert.equal(planner.progress, undefined);
});

describe("answers of 2,000 headers", () => {
  const long = createBlockBuilder(genesis).extend(2_001, { proposer: "long" });
  const page = headersOf(long.slice(0, 2_000));
  const claim = { head: long.at(-1)?.header.id ?? "", height: 2_001, work: 2_001n * 16n };
  /** Our own branch is better than the part of theirs that we have. */
  function createLongLab() {
    const lab = createLab();
    lab.connect(...long.slice(0, 2_000));
    return lab;
  }

  it("that are all known are gone past: the branch goes on behind them", () => {
    const { planner } = createLongLab();
    planner.peerStatus("a", claim);
    const [next] = planner.headers("a", page, nowMs);
    assert.deepEqual(next?.kind === "request-headers" && next.locator, [long[1_999]?.header.id]);
    const effects = planner.headers("a", headersOf(long.slice(2_000)), nowMs);
    assert.deepEqual(asked(effects), [claim.head]);
  });

  it("shown again and again cost the connection", () => {
    const { planner } = createLongLab();
    planner.peerStatus("liar", claim);
    assert.deepEqual(kinds(planner.headers("liar", page, nowMs)), ["request-headers liar"]);
    assert.deepEqual(kinds(planner.headers("liar", page, nowMs)), ["disconnect liar"]);
  });

  it("that the next answer does not follow, as after a reorg of the peer, cost it nothing but its turn", () => {
    const { planner } = createLab();
    planner.peerStatus("a", claim);
    planner.peerStatus("b", statusAt(300));
    assert.deepEqual(kinds(planner.headers("a", page, nowMs)), ["request-headers a"]);
    assert.deepEqual(kinds(planner.headers("a", headersOf(blocks), nowMs)), ["request-headers b"]);
  });
});

test("a block that is invalid for good costs its sender the connection and ends that chain", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(300));
  planner.bodies("a", asked(planner.headers("a", headersOf(blocks), nowMs)));
  const refusal = refuse("STA-01", "another state root");
  assert.deepEqual(kinds(planner.imported("a", ids[0] as string, { ok: false, refusal })), ["disconnect a"]);
  assert.equal(planner.progress, undefined);
});

test("when our own chain cannot take the blocks now, the sync ends and nobody is blamed", () => {
  const { planner } = createLab();
  planner.peerStatus("a", statusAt(5));
  const window = asked(planner.headers("a", headersOf(blocks.slice(0, 5)), nowMs));
  planner.bodies("a", window);
  for (const id of window) assert.deepEqual(planner.imported("a", id, { ok: false, refusal: undefined }), []);
  assert.equal(planner.progress, undefined);
  assert.deepEqual(
    kinds(planner.peerStatus("a", statusAt(5))),
    ["request-headers a"],
    "until it is said again",
  );
});

test("peers are remembered up to a bound, and answers that nobody asked for change nothing", () => {
  const { planner } = createLab();
  for (let i = 0; i < 2_000; i++) planner.peerStatus(`poor ${i}`, statusAt(0));
  assert.deepEqual(planner.peerStatus("late", statusAt(300)), []);
  const other = createLab().planner;
  assert.deepEqual(other.headers("stranger", headersOf(blocks), nowMs), []);
  assert.deepEqual(other.bodies("stranger", ids), []);
  assert.deepEqual(other.imported("stranger", ids[0] as string, { ok: true }), []);
  assert.deepEqual(other.failed("stranger"), []);
  assert.deepEqual(other.peerGone("stranger"), []);
  assert.equal(other.progress, undefined);
});
