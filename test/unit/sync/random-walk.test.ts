import assert from "node:assert/strict";
import { test } from "node:test";
import { refuse, refuseForNow, refuseMutated } from "../../../src/consensus/index.ts";
import type { Block, BlockId } from "../../../src/primitives/index.ts";
import type { ImportOutcome, SyncEffect } from "../../../src/sync/index.ts";
import { createBlockBuilder } from "../../support/block-builder.ts";
import { createLab, genesis, known, type Lab, refusedBy } from "../../support/planner-lab.ts";

const WALKS = 40;
const CHAOS_STEPS = 120;
/** By then every walk must have come to its end. */
const MAX_STEPS = 5_000;
const REQUEST_DEADLINE_MS = 10_000;

const builder = createBlockBuilder(genesis);
const best = known(builder.extend(300));
const idOf = (block: Block | undefined): BlockId => block?.header.id ?? "";
const branch = (height: number, count: number, proposer: string): Block[] => [
  ...best.slice(0, height),
  ...known(builder.extend(count, { parent: idOf(best[height - 1]), proposer })),
];
const chains = {
  best,
  behind: best.slice(0, 220),
  rival: branch(50, 120, "rival"),
  /** Has the most work, and nobody has its bodies. */
  bodiless: branch(80, 280, "bodiless"),
  /** The same, and its 30th block is invalid. */
  invalid: branch(120, 230, "invalid"),
};
const invalidFrom = idOf(chains.invalid[149]);

interface Kind {
  readonly chain: keyof typeof chains;
  /** Milliseconds until it answers; `undefined`: it does not. */
  readonly delayMs?: (random: Random) => number;
  /** Of the blocks asked for. */
  readonly share?: number;
  readonly mutates?: boolean;
  /** From here on it has bodies. */
  readonly firstHeight?: (timeMs: number) => number;
  /** It must never lose its connection. */
  readonly isHonest?: boolean;
}
const soon = (random: Random) => 50 + random(1_000);
const kinds: Readonly<Record<string, Kind>> = {
  honest: { chain: "best", delayMs: soon, isHonest: true },
  brief: { chain: "best", delayMs: soon, share: 0.2, isHonest: true },
  behind: { chain: "behind", delayMs: soon, isHonest: true },
  rival: { chain: "rival", delayMs: soon, isHonest: true },
  pruned: { chain: "best", delayMs: soon, firstHeight: () => 200, isHonest: true },
  pruner: {
    chain: "best",
    delayMs: soon,
    firstHeight: (timeMs) => Math.min(290, 1 + Math.floor(timeMs / 300)),
    isHonest: true,
  },
  late: { chain: "best", delayMs: (random) => 1_000 + random(8_000) },
  staller: { chain: "best" },
  empty: { chain: "best", delayMs: soon, share: 0 },
  mutator: { chain: "best", delayMs: soon, mutates: true },
  bodiless: { chain: "bodiless", delayMs: soon, share: 0 },
  withholder: { chain: "bodiless" },
  invalid: { chain: "invalid", delayMs: soon },
};

type Random = (below: number) => number;

/** Mulberry32. */
function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** One cluster of peers around a planner, moved by chance. */
class Walk {
  readonly random: Random;
  readonly lab: Lab;
  readonly peers = new Map<string, { kind: string; answersAtMs: Map<number, number> }>();
  readonly invalid = new Set<BlockId>();
  timeMs = 0;
  count = 0;
  dropped: string[] = [];

  constructor(seed: number) {
    this.random = seeded(seed);
    this.lab = createLab({ invalid: this.invalid });
  }

  join(kind: string): void {
    const name = `${kind} ${this.count++}`;
    this.peers.set(name, { kind, answersAtMs: new Map() });
    this.say(name);
  }

  leave(name: string): void {
    this.peers.delete(name);
    this.note(this.lab.gone(name));
  }

  chainOf(name: string): readonly Block[] {
    const { chain } = kinds[this.peers.get(name)?.kind ?? ""] as Kind;
    return chains[chain];
  }

  say(name: string): void {
    const chain = this.chainOf(name);
    const { height } = chain.at(-1)?.header.header.core ?? { height: 0 };
    const firstHeight = this.firstHeightOf(name);
    const stands = { head: idOf(chain.at(-1)), height, work: BigInt(height) * 16n };
    this.note(this.lab.status(name, { ...stands, firstHeight }));
  }

  firstHeightOf(name: string): number {
    return kinds[this.peers.get(name)?.kind ?? ""]?.firstHeight?.(this.timeMs) ?? 0;
  }

  note(effects: readonly SyncEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "disconnect") continue;
      this.dropped.push(effect.peer);
      const kind = this.peers.get(effect.peer)?.kind ?? "";
      assert.ok(kinds[kind]?.isHonest !== true, `${effect.peer} was dropped: ${effect.reason}`);
    }
  }

  /** Answers what is due, lets requests run into their deadline, and moves our own chain. */
  step(): void {
    const deltaMs = this.random(600);
    this.timeMs += deltaMs;
    this.note(this.lab.advance(deltaMs));
    for (const name of [...this.peers.keys()]) this.answer(name);
    for (let taken = this.random(120); taken > 0 && this.lab.importing.size > 0; taken--) this.import();
    for (const gone of this.dropped.splice(0)) if (this.peers.has(gone)) this.leave(gone);
    this.check();
  }

  answer(name: string): void {
    const peer = this.peers.get(name);
    if (peer === undefined) return;
    const { delayMs, share = 1 } = kinds[peer.kind] as Kind;
    const waits = delayMs === undefined ? REQUEST_DEADLINE_MS : delayMs(this.random);
    const open = [this.lab.headersAsked(name), this.lab.windows(name)[0]].flatMap((one) => one ?? []);
    for (const { request, kind } of open) {
      const atMs = peer.answersAtMs.get(request) ?? this.timeMs + waits;
      peer.answersAtMs.set(request, atMs);
      if (atMs > this.timeMs) continue;
      peer.answersAtMs.delete(request);
      // Whoever withholds blocks shows headers quickly.
      if (kind === "request-headers") this.note(this.lab.headers(name, this.headersOf(name)));
      else if (delayMs === undefined) this.note(this.lab.fail(name));
      else {
        const { length } = this.lab.windows(name)[0]?.ids ?? [];
        this.note(this.lab.bodies(name, this.owns(name) ? Math.ceil(length * share) : 0));
      }
    }
  }

  headersOf(name: string): readonly Block[] {
    const chain = this.chainOf(name);
    const locator = this.lab.headersAsked(name)?.locator ?? [];
    return chain.slice(chain.findLastIndex((block) => locator.includes(idOf(block))) + 1);
  }

  /** Whether it has what it is asked for first; a peer may be asked for a branch it is not on. */
  owns(name: string): boolean {
    const first = this.lab.windows(name)[0]?.ids[0];
    const block = this.chainOf(name).find((one) => idOf(one) === first);
    return block !== undefined && block.header.header.core.height >= this.firstHeightOf(name);
  }

  import(): void {
    const [first] = this.lab.importing;
    if (first === undefined) return;
    const [id, { peer, block }] = first;
    this.note(this.lab.imported(id, this.judge(id, peer, block)));
  }

  judge(id: BlockId, peer: string, block: Block): ImportOutcome {
    const { parent } = block.header;
    if (this.invalid.has(parent) || id === invalidFrom) {
      this.invalid.add(id);
      return refusedBy(refuse(id === invalidFrom ? "STA-01" : "HDR-12", "invalid"));
    }
    if (!this.lab.has(parent)) return refusedBy(refuseForNow("HDR-11", "parent unknown"));
    if (peer.startsWith("mutator")) return refusedBy(refuseMutated("BLK-02", "not the header's"));
    if (this.random(300) === 0) return refusedBy(undefined);
    return { ok: true };
  }

  check(): void {
    const windows = this.lab.windows();
    assert.ok(windows.length <= 8, `${windows.length} windows`);
    const open = windows.flatMap(({ ids }) => ids);
    assert.equal(new Set(open).size, open.length, "nothing is asked of two peers at the same time");
    for (const id of open)
      assert.ok(!this.lab.importing.has(id) && !this.lab.has(id), "nothing is asked for that is here");
    for (const name of this.peers.keys()) assert.ok(this.lab.windows(name).length <= 2);
    assert.ok(this.lab.importing.size <= 128, `${this.lab.importing.size} blocks are being imported`);
    for (const { peer } of windows) assert.ok(this.peers.has(peer), "nobody who is gone is waited for");
  }
}

for (let seed = 1; seed <= WALKS; seed++) {
  test(`random walk ${seed}: peers come, go, prune, lie and stall, and the best chain of those with all blocks is synced`, () => {
    const walk = new Walk(seed);
    // In every other walk nobody has the whole best chain before the end.
    const isWhole = ({ chain, firstHeight }: Kind) => chain === "best" && firstHeight === undefined;
    const names = Object.keys(kinds).filter((kind) => seed % 2 === 0 || !isWhole(kinds[kind] as Kind));
    for (let step = 0; step < CHAOS_STEPS; step++) {
      if (walk.random(4) === 0 && walk.peers.size < 12) walk.join(names[walk.random(names.length)] ?? "");
      for (const name of [...walk.peers.keys()]) {
        if (walk.random(8) === 0) walk.say(name);
        if (walk.random(60) === 0 && walk.peers.has(name)) walk.leave(name);
      }
      walk.step();
    }
    walk.join("honest");
    const target = idOf(best.at(-1));
    let steps = 0;
    for (; walk.lab.head() !== target && steps < MAX_STEPS; steps++) {
      for (const name of [...walk.peers.keys()]) if (walk.random(8) === 0) walk.say(name);
      walk.step();
    }
    assert.equal(walk.lab.head(), target, `after ${steps} steps, ${walk.timeMs} ms`);
  });
}
