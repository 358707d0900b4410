import { nextDifficulty, type TreeBlock } from "../../consensus/index.ts";
import type { Status } from "../../network/index.ts";
import type { Timer } from "../../ports/index.ts";
import {
  type BlockId,
  type HeaderCore,
  hexToBytes,
  rulesVersionAt,
  type SealedHeader,
  transactionsRoot,
  ZERO_32,
} from "../../primitives/index.ts";
import { HONEST, type Presence, type PresenceDeps } from "../presence.ts";
import { sealWithWork } from "./nonce-search.ts";

/** One round of spam: bounded so that a network of many nodes on one machine survives it. */
const ROUND_MS = 250;
/** It gossips for so many rounds, then claims the chain for as many: that costs it the connection. */
const PHASE_ROUNDS = 12;
/** Headers of the chain that has no blocks: a whole answer of a peer. */
const CHAIN_HEADERS = 2_000;
/** Headers of it made in one round: they are nearly free where the difficulty is low. */
const HEADERS_PER_ROUND = 100;
/** Tries for one header at most: beyond that spam is not cheap, and there is less of it. */
const MAX_TRIES = 2 ** 20;
/** How far below the head its gossiped blocks begin, at most. */
const MAX_DEPTH = 32;

/** A header chain with proof of work and without any block. */
interface FakeChain {
  readonly base: TreeBlock;
  readonly headers: SealedHeader[];
  work: bigint;
}

/**
 * Sends headers that cost little and help nobody: claims a chain of more work than there is, serves its headers, has no
 * block of it; and gossips empty blocks with proof of work and a state root that is wrong, on the head and below it.
 */
export function createHeaderSpam(deps: PresenceDeps): Presence {
  const { chain, timers, clock, logger } = deps;
  const { spec, chainId } = chain.genesis;
  const empty = transactionsRoot([]);
  let fake: FakeChain | undefined;
  let round = 0;
  let timer: Timer | undefined;
  let isStopped = false;
  let publish: ((header: SealedHeader) => Promise<void>) | undefined;

  type Parent = Pick<HeaderCore, "height" | "timestampMs" | "difficulty">;

  /** `mark` makes headers of one parent differ. */
  function fakeCore(parent: Parent, id: BlockId, before: Parent | undefined, mark: number): HeaderCore {
    const height = parent.height + 1;
    return {
      rulesVersion: rulesVersionAt(spec, height),
      chain: chainId,
      height,
      parent: hexToBytes(id),
      timestampMs: parent.timestampMs + 1,
      transactionsRoot: empty,
      stateRoot: ZERO_32,
      proposer: ZERO_32,
      difficulty: nextDifficulty(spec, parent, before),
      engineRoot: ZERO_32,
      extra: Uint8Array.from(ZERO_32, (_, i) => Math.floor(mark / 256 ** i) % 256),
    };
  }

  const seal = (core: HeaderCore): Promise<SealedHeader | undefined> =>
    sealWithWork(deps, core, MAX_TRIES, () => !isStopped);

  /** A block that nobody can use, on the best chain a little below the head, or on the head itself. */
  async function gossipOne(): Promise<void> {
    const lowest = Math.max(chain.firstHeight, chain.head.height - MAX_DEPTH, 0);
    const height = chain.head.height - (round % (chain.head.height - lowest + 1));
    const parent = chain.tree.get(chain.idAt(height) ?? "");
    if (parent === undefined) return;
    const before = parent.height === 0 ? undefined : chain.tree.get(parent.parent);
    const sealed = await seal(fakeCore(parent, parent.id, before, clock.nowMs()));
    if (sealed !== undefined) await publish?.(sealed);
  }

  /** Begins at the head, and anew where the others have come past what it claims. */
  async function extendChain(): Promise<void> {
    if (fake === undefined || (fake.headers.length >= CHAIN_HEADERS && fake.work <= chain.head.work))
      fake = { base: chain.head, headers: [], work: chain.head.work };
    const { base, headers } = fake;
    for (let i = 0; i < HEADERS_PER_ROUND && headers.length < CHAIN_HEADERS; i++) {
      const [before, last] = [headers.at(-2)?.header.core, headers.at(-1)];
      const grandparent = last === undefined ? chain.tree.get(base.parent) : (before ?? base);
      const isSecond = last === undefined && base.height === 0;
      const core = fakeCore(
        last?.header.core ?? base,
        last?.id ?? base.id,
        isSecond ? undefined : grandparent,
        0,
      );
      const sealed = await seal(core);
      if (sealed === undefined) return;
      headers.push(sealed);
      fake.work += core.difficulty;
    }
  }

  async function spam(): Promise<void> {
    round++;
    try {
      await extendChain();
      await gossipOne();
      if (round % PHASE_ROUNDS === 0) deps.tellPeers();
    } catch (error) {
      if (!isStopped) logger.debug({ error: String(error) }, "a round of spam failed");
    }
    if (!isStopped) timer = timers.set(ROUND_MS, () => void spam());
  }

  function show(own: Status): Status {
    const last = fake?.headers.at(-1);
    const isClaiming = Math.floor(round / PHASE_ROUNDS) % 2 === 1;
    if (!isClaiming || fake === undefined || last === undefined || fake.work <= own.work) return own;
    return { ...own, head: last.id, height: fake.base.height + fake.headers.length, work: fake.work };
  }

  return {
    ...HONEST,
    role: "header-spam",
    answers: (honest) => ({
      ...honest,
      status: async (peer, theirs) => show(await honest.status(peer, theirs)),
      async headers(peer, request) {
        const real = [...(await honest.headers(peer, request))];
        const headers = fake?.headers ?? [];
        // Where the asker stands within it, or else after the real ones that lead up to it.
        const at = headers.findIndex(({ id }) => request.locator.includes(id)) + 1;
        if (at > 0) return headers.slice(at, at + request.maxCount);
        const end = real.findIndex(({ id }) => id === fake?.base.id) + 1;
        const isNext = request.locator[0] === fake?.base.id || real.length === 0;
        if (end === 0 && !isNext) return real;
        return [...real.slice(0, end), ...headers].slice(0, request.maxCount);
      },
    }),
    requests(honest) {
      publish = (header) => honest.publishBlock({ header, leaves: [], engineData: new Uint8Array() });
      return {
        ...honest,
        requestStatus: (peer, ours, options) => honest.requestStatus(peer, show(ours), options),
      };
    },
    start: () => void spam(),
    stop() {
      isStopped = true;
      if (timer !== undefined) timers.clear(timer);
    },
  };
}
