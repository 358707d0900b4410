import type { RecordedEntry, Recording } from "../../src/client/index.ts";

export interface NetworkOptions {
  readonly nodes: number;
  readonly blocks: number;
  readonly seed: number;
  /** Splits in the course of it, each healed again; default 1. */
  readonly splits?: number;
  /** Largest delay of a block on its way, ms; default 400, of an interval of 2,000. */
  readonly delayMs?: number;
}

const START_MS = Date.UTC(2026, 0, 1);
const INTERVAL_MS = 2_000;
const DIFFICULTY = 1024n;
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

interface Block {
  readonly id: string;
  readonly height: number;
  readonly parent: Block | undefined;
  readonly work: bigint;
  readonly miner: number;
  readonly timestampMs: number;
  readonly transactions: number;
}

/** A small generator of chance from a seed (mulberry32). */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const peerName = (n: number): string =>
  `12D3KooW${BASE58[n % 58]}${BASE58[Math.floor(n / 58)]}`.padEnd(52, "Q");
const addressOf = (n: number): string => `cum1${BECH32[n % 32]}${BECH32[Math.floor(n / 32)]}`.padEnd(62, "q");

interface Delivery {
  readonly timeMs: number;
  readonly node: number;
  readonly from: number;
  readonly block: Block;
}

/** The earliest first. */
function createQueue() {
  const items: Delivery[] = [];
  const before = (a: number, b: number): boolean => items[a]!.timeMs < items[b]!.timeMs;
  const swap = (a: number, b: number): void => {
    [items[a], items[b]] = [items[b]!, items[a]!];
  };
  return {
    next: () => items[0],
    push(item: Delivery): void {
      let at = items.push(item) - 1;
      for (let up = (at - 1) >> 1; at > 0 && before(at, up); at = up, up = (at - 1) >> 1) swap(at, up);
    },
    pop(): Delivery {
      const first = items[0]!;
      const last = items.pop()!;
      if (items.length > 0) items[0] = last;
      for (let at = 0, child = 1; child < items.length; at = child, child = 2 * at + 1) {
        if (child + 1 < items.length && before(child + 1, child)) child++;
        if (!before(child, at)) break;
        swap(at, child);
      }
      return first;
    },
  };
}

/**
 * A recording of a network that never was: blocks are mined in turn by chance and reach the others late, and splits let
 * two branches grow. Made as real ones are: each node knows what has reached it, and follows most work.
 */
export function recordNetwork({ nodes, blocks, seed, splits = 1, delayMs = 400 }: NetworkOptions): Recording {
  const chance = chanceOf(seed);
  const entries: RecordedEntry[] = [];
  const queue = createQueue();
  const genesis: Block = {
    id: seed.toString(16).padStart(64, "a"),
    height: 0,
    parent: undefined,
    work: 0n,
    miner: 0,
    timestampMs: START_MS,
    transactions: 0,
  };
  const members = Array.from({ length: nodes }, (_, i) => ({
    n: i + 1,
    head: genesis,
    known: new Set([genesis]),
    sequence: 0,
    reorgs: 0,
  }));
  const ref = ({ id, height, work }: Block) => ({ id, height, work: work.toString(16) });
  let place = 0;
  let groups: readonly (readonly number[])[] | null = null;
  const groupOf = (n: number): number => groups?.findIndex((group) => group.includes(n)) ?? 0;

  function tell(timeMs: number, node: number, type: string, data: unknown): void {
    const sequence = ++members[node - 1]!.sequence;
    entries.push({ place: ++place, timeMs, node, sequence, type, data } as RecordedEntry);
  }

  function tellSplit(timeMs: number, next: typeof groups): void {
    groups = next;
    const data = next === null ? null : { groups: next, names: ["left", "right"] };
    entries.push({
      place: ++place,
      timeMs,
      node: null,
      sequence: null,
      type: "split",
      data,
    } as RecordedEntry);
    for (const { n } of members)
      for (const other of members)
        if (next !== null && groupOf(n) !== groupOf(other.n))
          tell(timeMs, n, "link", {
            peer: peerName(other.n),
            mode: "refuse",
            out: null,
            in: null,
            untilMs: null,
          });
        else if (next === null && n !== other.n)
          tell(timeMs, n, "link", { peer: peerName(other.n), mode: "whole" });
  }

  function forkPoint(a: Block, b: Block): Block {
    let [left, right] = [a, b];
    while (left !== right) {
      if (left.height >= right.height) left = left.parent!;
      else right = right.parent!;
    }
    return left;
  }

  function take({ timeMs, node, from, block }: Delivery): void {
    const member = members[node - 1]!;
    if (member.known.has(block) || groupOf(node) !== groupOf(from)) return;
    // What its parent is must be known first; a sync brings it.
    if (block.parent !== undefined && !member.known.has(block.parent))
      take({ timeMs, node, from, block: block.parent });
    member.known.add(block);
    const data = {
      ...ref(block),
      parent: block.parent?.id ?? genesis.id,
      difficulty: DIFFICULTY.toString(16),
      timestampMs: block.timestampMs,
      proposer: addressOf(block.miner),
      peer: from === node ? null : peerName(from),
      via: from === node ? "mined" : "gossip",
    };
    const isBest = block.work > member.head.work;
    tell(timeMs, node, "header", data);
    tell(timeMs, node, "block", {
      ...data,
      state: isBest ? "best" : "side",
      transactions: block.transactions,
      sizeBytes: 400 + 180 * block.transactions,
      receivedMs: timeMs,
    });
    if (!isBest) return;
    const oldHead = member.head;
    const fork = forkPoint(oldHead, block);
    if (fork !== oldHead) {
      tell(timeMs, node, "reorg", {
        reorg: String(++member.reorgs),
        oldHead: ref(oldHead),
        newHead: ref(block),
        forkPoint: ref(fork),
        depth: oldHead.height - fork.height,
        receivedMs: timeMs,
        durationMs: 1.5,
      });
    }
    member.head = block;
    tell(timeMs, node, "head", {
      ...ref(block),
      parent: block.parent?.id ?? genesis.id,
      timestampMs: block.timestampMs,
      mempool: { transactions: Math.floor(chance() * 40), bytes: 7_200 },
    });
  }

  for (const { n } of members) {
    tell(START_MS, n, "start", { run: `r${n}`, head: ref(genesis), version: "0.1.0" });
    for (const other of members)
      if (other.n !== n)
        tell(START_MS + 5, n, "peer", { peer: peerName(other.n), connected: true, reason: null });
  }
  const period = Math.max(4, Math.floor(blocks / (2 * splits + 1)));
  let timeMs = START_MS + 10;
  for (let mined = 1; mined <= blocks; mined++) {
    const nextMs = timeMs + Math.ceil(-Math.log(1 - chance() * 0.98) * INTERVAL_MS);
    while ((queue.next()?.timeMs ?? Number.POSITIVE_INFINITY) <= nextMs) take(queue.pop());
    timeMs = nextMs;
    if (mined % period === 0) {
      const turn = mined / period;
      const left = members.map(({ n }) => n).filter((n) => n <= Math.ceil(nodes / 2));
      const right = members.map(({ n }) => n).filter((n) => !left.includes(n));
      if (turn % 2 === 1 && right.length > 0) tellSplit(timeMs, [left, right]);
      else if (groups !== null) {
        tellSplit(timeMs, null);
        for (const { n, head } of members)
          for (const other of members)
            if (other.n !== n)
              queue.push({
                timeMs: timeMs + 20 + Math.ceil(chance() * 200),
                node: other.n,
                from: n,
                block: head,
              });
      }
    }
    const miner = 1 + Math.floor(chance() * nodes);
    const parent = members[miner - 1]!.head;
    const block: Block = {
      id: Array.from({ length: 8 }, () =>
        Math.floor(chance() * 2 ** 32)
          .toString(16)
          .padStart(8, "0"),
      ).join(""),
      height: parent.height + 1,
      parent,
      work: parent.work + DIFFICULTY,
      miner,
      timestampMs: timeMs,
      transactions: Math.floor(chance() * 20),
    };
    take({ timeMs, node: miner, from: miner, block });
    for (const { n } of members)
      if (n !== miner)
        queue.push({ timeMs: timeMs + 5 + Math.ceil(chance() * delayMs), node: n, from: miner, block });
  }
  while (queue.next() !== undefined) take(queue.pop());
  // Times of one take overlap with those of the next; places follow time, as a supervisor that reads all at once has it.
  entries.sort((a, b) => a.timeMs - b.timeMs || a.place - b.place);
  return {
    version: 1,
    name: "a network that never was",
    startedMs: START_MS,
    endedMs: entries.at(-1)?.timeMs ?? START_MS,
    nodes: members.map(({ n }) => ({ n, name: `node ${n}`, peer: peerName(n) })),
    entries: entries.map((entry, i) => ({ ...entry, place: i + 1 })),
    reorgs: {},
  };
}
