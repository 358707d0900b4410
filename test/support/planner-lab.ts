import { createForkTree, type ForkTree, type Refusal } from "../../src/consensus/index.ts";
import type { Block, BlockId } from "../../src/primitives/index.ts";
import {
  createSyncPlanner,
  type ImportOutcome,
  type Moment,
  type PeerStatus,
  type SyncEffect,
  type SyncPlanner,
} from "../../src/sync/index.ts";
import { createBlockBuilder, testGenesis } from "./block-builder.ts";

export const genesis = testGenesis();
/** The chain that peers have: more than some windows of blocks, and than may wait for import. */
export const blocks = createBlockBuilder(genesis).extend(400);
export const ids = blocks.map(({ header }) => header.id);
export const nowMs = genesis.spec.genesisTimestampMs + 365 * 86_400_000;

/** What a peer says; unless it says otherwise it has all blocks. */
type Said = Omit<PeerStatus, "firstHeight"> & { readonly firstHeight?: number };
type HeadersRequest = Extract<SyncEffect, { kind: "request-headers" }>;
export type BlocksRequest = Extract<SyncEffect, { kind: "request-blocks" }>;

export interface LabOptions {
  readonly invalid?: ReadonlySet<BlockId>;
  readonly maxHeaders?: number;
  readonly minimumWork?: bigint;
}

/** A planner over a chain of nothing but a tree, with what it asked for and has no answer to. */
export interface Lab {
  readonly planner: SyncPlanner;
  readonly tree: ForkTree;
  headersAsked(peer: string): HeadersRequest | undefined;
  /** The requests for blocks that are open, in the order they were made. */
  windows(peer?: string): BlocksRequest[];
  /** Blocks that were handed over and not answered for, with their senders. */
  readonly importing: Map<BlockId, { readonly peer: string; readonly block: Block }>;
  /** Takes blocks into the chain as its writer would, without the planner. */
  connect(...taken: readonly Block[]): void;
  head(): BlockId;
  has(id: BlockId): boolean;
  /** Moves the clock that what is late is judged by. */
  advance(deltaMs: number): SyncEffect[];
  status(peer: string, status: Said): SyncEffect[];
  /** Prunes our own chain: what is below cannot be undone any more. */
  prune(firstHeight: number): void;
  gone(peer: string): SyncEffect[];
  /** Answers the request for headers that the peer has open. */
  headers(peer: string, shown: readonly Block[], wallMs?: number): SyncEffect[];
  /** Answers the peer's oldest request for blocks with the first of them, by default all. */
  bodies(peer: string, count?: number): SyncEffect[];
  /** The peer's oldest request fails. */
  fail(peer: string): SyncEffect[];
  imported(id: BlockId, outcome: ImportOutcome): SyncEffect[];
  /** Our chain takes everything that it was handed, and what follows from it. */
  importAll(): SyncEffect[];
  /** Every peer in `answering` answers as it should, until nothing more happens. */
  run(...answering: readonly string[]): SyncEffect[];
}

const blockOf = new Map<BlockId, Block>(blocks.map((block) => [block.header.id, block]));

/** Makes blocks of another chain known to the peers of the labs. */
export function known<B extends readonly Block[]>(other: B): B {
  for (const block of other) blockOf.set(block.header.id, block);
  return other;
}

export function createLab(options: LabOptions = {}): Lab {
  const { invalid = new Set(), maxHeaders, minimumWork = 0n } = options;
  const { id, parent, header } = genesis.block.header;
  const { timestampMs, difficulty } = header.core;
  const tree = createForkTree({ id, parent, height: 0, timestampMs, difficulty, arrival: 0 });
  let arrival = 1;
  const best = () => tree.best();
  const planner = createSyncPlanner(
    { spec: { ...genesis.spec, minimumWork }, chainId: genesis.chainId },
    {
      head: best,
      firstHeight: () => (tree.floor.height === 0 ? 0 : tree.floor.height + 1),
      get: (one) => tree.get(one),
      idAt: (height) => (height > best().height ? undefined : tree.ancestorAt(best().id, height).id),
      isKnownInvalid: (one) => invalid.has(one),
    },
    maxHeaders === undefined ? {} : { maxHeaders },
  );
  const openHeaders = new Map<string, HeadersRequest>();
  const openBlocks = new Map<number, BlocksRequest>();
  const importing: Lab["importing"] = new Map();
  let monotonicMs = 0;
  const now = (): Moment => ({ nowMs, monotonicMs });

  function note(effects: SyncEffect[]): SyncEffect[] {
    for (const effect of effects) {
      if (effect.kind === "request-headers") openHeaders.set(effect.peer, effect);
      if (effect.kind === "request-blocks") openBlocks.set(effect.request, effect);
      if (effect.kind === "cancel") openBlocks.delete(effect.request);
      if (effect.kind === "import")
        importing.set(effect.block.header.id, { peer: effect.peer, block: effect.block as Block });
    }
    return effects;
  }

  const windows = (peer?: string): BlocksRequest[] =>
    [...openBlocks.values()].filter((open) => peer === undefined || open.peer === peer);

  function oldest(peer: string): BlocksRequest {
    const [first] = windows(peer);
    if (first === undefined) throw new Error(`${peer} was not asked for blocks`);
    openBlocks.delete(first.request);
    return first;
  }

  function connect(...taken: readonly Block[]): void {
    for (const { header: sealed } of taken) {
      if (tree.get(sealed.id) !== undefined) continue;
      const { height, timestampMs: time, difficulty: work } = sealed.header.core;
      const block = { id: sealed.id, parent: sealed.parent, height, timestampMs: time, difficulty: work };
      tree.insert({ ...block, arrival: arrival++ });
    }
  }

  const lab: Lab = {
    planner,
    tree,
    headersAsked: (peer) => openHeaders.get(peer),
    windows,
    importing,
    connect,
    head: () => best().id,
    has: (one) => tree.get(one) !== undefined,
    advance(deltaMs) {
      const endMs = monotonicMs + deltaMs;
      const effects: SyncEffect[] = [];
      for (;;) {
        const tickMs = planner.nextTickMs;
        if (tickMs === undefined || tickMs > endMs) break;
        monotonicMs = Math.max(monotonicMs, tickMs);
        effects.push(...note(planner.tick(now())));
      }
      monotonicMs = endMs;
      return effects;
    },
    status: (peer, status) => note(planner.peerStatus(peer, { firstHeight: 0, ...status }, now())),
    prune(height) {
      tree.raiseFloor(tree.ancestorAt(best().id, height - 1).id);
    },
    gone(peer) {
      openHeaders.delete(peer);
      for (const { request } of windows(peer)) openBlocks.delete(request);
      return note(planner.peerGone(peer, now()));
    },
    headers(peer, shown, wallMs = nowMs) {
      const open = openHeaders.get(peer);
      if (open === undefined) throw new Error(`${peer} was not asked for headers`);
      openHeaders.delete(peer);
      const sealed = shown.map((block) => block.header);
      return note(planner.headers(open.request, sealed, { nowMs: wallMs, monotonicMs }));
    },
    bodies(peer, count) {
      const { request, ids: asked } = oldest(peer);
      const answer = asked.slice(0, count ?? asked.length).map((one) => blockOf.get(one) as Block);
      return note(planner.bodies(request, answer, now()));
    },
    fail(peer) {
      const open = openHeaders.get(peer) ?? oldest(peer);
      openHeaders.delete(peer);
      return note(planner.failed(open.request, now()));
    },
    imported(one, outcome) {
      const handed = importing.get(one);
      importing.delete(one);
      if (outcome.ok && handed !== undefined) connect(handed.block);
      return note(planner.imported(one, outcome, now()));
    },
    importAll() {
      const effects: SyncEffect[] = [];
      for (const one of importing.keys()) effects.push(...lab.imported(one, { ok: true }));
      return effects;
    },
    run(...answering) {
      const effects: SyncEffect[] = [];
      for (let isIdle = false; !isIdle; ) {
        isIdle = true;
        for (const peer of answering) {
          const open = openHeaders.get(peer);
          if (open !== undefined) {
            const from = blocks.findIndex((block) => open.locator.includes(block.header.id)) + 1;
            effects.push(...lab.headers(peer, blocks.slice(from)));
            isIdle = false;
          }
          if (windows(peer).length > 0) {
            effects.push(...lab.bodies(peer));
            isIdle = false;
          }
        }
        if (importing.size > 0) {
          effects.push(...lab.importAll());
          isIdle = false;
        }
      }
      return effects;
    },
  };
  return lab;
}

export const statusAt = (height: number, work = BigInt(height) * 16n, firstHeight = 0): PeerStatus => ({
  head: ids[height - 1] ?? "ff".repeat(32),
  height,
  work,
  firstHeight,
});
/** What is asked of whom, and who is sent away; what is handed to our own chain is left out. */
export const kinds = (effects: readonly SyncEffect[]): string[] =>
  effects.filter(({ kind }) => kind !== "import").map(({ kind, peer }) => `${kind} ${peer}`);
export const asked = (effects: readonly SyncEffect[]): BlockId[] =>
  effects.flatMap((effect) => (effect.kind === "request-blocks" ? effect.ids : []));
export const handed = (effects: readonly SyncEffect[]): BlockId[] =>
  effects.flatMap((effect) => (effect.kind === "import" ? [effect.block.header.id] : []));
export const reasons = (effects: readonly SyncEffect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === "disconnect" ? [effect.reason] : []));
export const refusedBy = (refusal: Refusal | undefined): ImportOutcome => ({ ok: false, refusal });
