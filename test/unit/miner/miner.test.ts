import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  createMiner,
  type MinerDeps,
  type MiningTemplate,
  type SearchInput,
  searchNonce,
} from "../../../src/miner/index.ts";
import { tasks } from "../../../src/miner/search-tasks.ts";
import {
  createInlineWorkerPool,
  createManualClock,
  createManualTimers,
  createSeededRandom,
  silentLogger,
} from "../../../src/ports/index.ts";
import {
  bigintFromBytes,
  bigintToBytes,
  bytesToHex,
  concatBytes,
  type HeaderCore,
  hashPair,
  headerCoreRoot,
  hexToBytes,
  type SealedHeader,
  sealHeader,
  sha256,
  uint64Chunk,
  ZERO_32,
} from "../../../src/primitives/index.ts";
import { until } from "../../support/until.ts";

const core = (parent: Uint8Array, height: number, timestampMs: number): HeaderCore => ({
  rulesVersion: 1,
  chain: ZERO_32,
  height,
  parent,
  timestampMs,
  transactionsRoot: ZERO_32,
  stateRoot: ZERO_32,
  proposer: ZERO_32,
  difficulty: 1024n,
  engineRoot: ZERO_32,
  extra: ZERO_32,
});
const target = (bits: number): bigint => 2n ** BigInt(256 - bits);

/** Lets everything that is ready run, without waiting for time to pass. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

/** A chain of headers only: accepts what extends its head. */
function setUp(overrides: Partial<MinerDeps<MiningTemplate>> = {}, bits = 6) {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const chain: SealedHeader[] = [];
  const seen = { built: 0, tries: 0 };
  const pool = createInlineWorkerPool({
    searchNonce: (input: SearchInput) => {
      const result = tasks.searchNonce(input);
      seen.tries += result.tried;
      return result;
    },
  });
  const head = () => chain.at(-1)?.idBytes ?? ZERO_32;
  const miner = createMiner<MiningTemplate>(
    {
      clock,
      timers,
      random: createSeededRandom(1),
      logger: silentLogger,
      pool,
      buildTemplate: async () => {
        seen.built++;
        return { core: core(head(), chain.length + 1, clock.nowMs() + chain.length), target: target(bits) };
      },
      submit: async (header) => {
        const connected = header.parent === bytesToHex(head());
        if (connected) {
          chain.push(header);
          miner.headChanged();
        }
        return { connected };
      },
      ...overrides,
    },
    { defaultHashRate: 100 },
  );
  return { miner, chain, seen, clock, timers };
}

describe("nonce search", () => {
  const coreRoot = headerCoreRoot(core(ZERO_32, 1, 1));

  it("finds the lowest nonce, and the id is the header's id", () => {
    const limit = target(10);
    const { nonce, id } = searchNonce({
      coreRoot,
      target: bigintToBytes(limit, 32),
      startNonce: 0,
      count: 100_000,
    });
    assert.ok(nonce !== undefined && id !== undefined);
    assert.equal(bytesToHex(id), sealHeader({ core: core(ZERO_32, 1, 1), nonce }).id);
    assert.ok(bigintFromBytes(id) < limit);
    for (let lower = 0; lower < nonce; lower++) {
      assert.ok(bigintFromBytes(hashPair(coreRoot, uint64Chunk(lower))) >= limit, `nonce ${lower} is lower`);
    }
  });

  it("hashes core root and nonce chunk, also above 2^32 and up to 2^53", () => {
    const always = new Uint8Array(32).fill(0xff);
    for (const startNonce of [0, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 12345, Number.MAX_SAFE_INTEGER]) {
      const { nonce, id } = searchNonce({ coreRoot, target: always, startNonce, count: 1 });
      assert.equal(nonce, startNonce);
      assert.deepEqual(id, sha256(concatBytes(coreRoot, uint64Chunk(startNonce))));
    }
  });

  it("an id equal to the target is not below it", () => {
    const { id } = searchNonce({ coreRoot, target: new Uint8Array(32).fill(0xff), startNonce: 5, count: 1 });
    assert.equal(
      searchNonce({ coreRoot, target: id as Uint8Array, startNonce: 5, count: 1 }).nonce,
      undefined,
    );
  });

  it("says how much it tried when there is nothing, and ends at 2^53", () => {
    const impossible = hexToBytes(`${"0".repeat(63)}1`);
    assert.deepEqual(searchNonce({ coreRoot, target: impossible, startNonce: 0, count: 2_500 }), {
      nonce: undefined,
      id: undefined,
      tried: 2_500,
    });
    assert.equal(
      searchNonce({ coreRoot, target: impossible, startNonce: 2 ** 53 - 10, count: 2_500 }).tried,
      10,
    );
  });
});

describe("miner", () => {
  const never = new AbortController().signal;

  it("mines a counted number of blocks and returns their ids, in order", async () => {
    const { miner, chain } = setUp();
    const ids = await miner.mineBlocks(12, never);
    assert.deepEqual(
      ids,
      chain.map(({ id }) => id),
    );
    assert.equal(ids.length, 12);
    assert.equal(miner.status().mode, "off");
  });

  it("goes on from the new head when another block wins the race", async () => {
    const rival = sealHeader({ core: core(new Uint8Array(32).fill(9), 7, 7), nonce: 0 });
    let raced = false;
    const { miner, chain } = setUp({
      submit: async (header) => {
        if (!raced) {
          raced = true;
          chain.push(rival);
          miner.headChanged();
          return { connected: false };
        }
        assert.equal(header.parent, chain.at(-1)?.id);
        chain.push(header);
        return { connected: true };
      },
    });
    const ids = await miner.mineBlocks(2, never);
    assert.deepEqual(
      chain.map(({ id }) => id),
      [rival.id, ...ids],
    );
  });

  it("aborted, it settles with what it has mined", async () => {
    const abort = new AbortController();
    const { miner, chain } = setUp({
      submit: async (header) => {
        chain.push(header);
        if (chain.length === 3) abort.abort();
        return { connected: true };
      },
    });
    assert.equal((await miner.mineBlocks(1_000, abort.signal)).length, 3);
  });

  it("gives up when the node refuses its own blocks, rather than spin", async () => {
    let submitted = 0;
    const { miner } = setUp({
      submit: async () => {
        submitted++;
        return { connected: false };
      },
    });
    await assert.rejects(miner.mineBlocks(1, never), { code: "MINER_REFUSED" });
    assert.ok(submitted < 20);
  });

  it("waits for a node that stops mining for a moment, as it fetches a block, and then goes on to the count", async () => {
    const pauses = new Set([3, 4, 5]);
    let asked = 0;
    const { miner, chain, timers } = setUp({
      buildTemplate: async () => {
        if (pauses.has(++asked)) return undefined;
        const parent = chain.at(-1)?.idBytes ?? ZERO_32;
        return { core: core(parent, chain.length + 1, chain.length), target: target(4) };
      },
    });
    const mined = miner.mineBlocks(5, never);
    for (let i = 0; i < pauses.size; i++) {
      await until("the miner waits", () => timers.pending === 1);
      timers.advance(100);
    }
    assert.equal((await mined).length, 5);
    assert.equal(chain.length, 5);
    assert.equal(timers.pending, 0);
  });

  it("gives up counting when the node has not mined for ten seconds, and says how far it came", async () => {
    const { miner, timers } = setUp({ buildTemplate: async () => undefined });
    let over = false;
    const mined = miner.mineBlocks(2, never).finally(() => {
      over = true;
    });
    const refused = assert.rejects(mined, { code: "MINER_NOT_READY", message: /0 of 2 blocks are mined/ });
    for (let i = 0; i < 100; i++) {
      await until("the miner waits", () => timers.pending === 1);
      assert.ok(!over, `${i * 100} ms`);
      timers.advance(100);
    }
    await refused;
  });

  it("a count that waits for the node ends at once when aborted or stopped", async () => {
    for (const end of ["abort", "stop"] as const) {
      const { miner, timers } = setUp({ buildTemplate: async () => undefined });
      const abort = new AbortController();
      const mined = miner.mineBlocks(2, abort.signal);
      await until("the miner waits", () => timers.pending === 1);
      if (end === "abort") abort.abort();
      else await miner.stop();
      assert.deepEqual(await mined, []);
      assert.equal(timers.pending, 0);
    }
  });

  it("refuses a second count at a time", async () => {
    const busy = setUp();
    const first = busy.miner.mineBlocks(2, never);
    await assert.rejects(busy.miner.mineBlocks(1, never), { code: "MINER_BUSY" });
    assert.equal((await first).length, 2);
  });

  it("continuous mining keeps to its rate, reports it and stops", async () => {
    const { miner, seen, timers } = setUp({}, 40);
    miner.startContinuous(400);
    for (let i = 0; i < 40; i++) {
      timers.advance(250);
      await settle();
    }
    assert.ok(seen.tries > 3_800 && seen.tries <= 4_000, `${seen.tries} tries in 10 s`);
    assert.ok(Math.abs(miner.status().hashRate - 400) < 60, `reports ${miner.status().hashRate}`);
    assert.equal(miner.status().mode, "continuous");
    await miner.stop();
    assert.equal(timers.pending, 0);
    const { tries } = seen;
    timers.advance(10_000);
    await settle();
    assert.equal(seen.tries, tries);
    assert.equal(miner.status().hashRate, 0);
  });

  it("time in which the machine slept is not made up for", async () => {
    const { miner, seen, clock, timers } = setUp({}, 40);
    miner.startContinuous(400);
    clock.advance(3_600_000);
    timers.advance(0);
    await settle();
    assert.ok(seen.tries <= 201, `${seen.tries} tries after an hour's sleep`);
    await miner.stop();
  });

  it("a template is renewed for transactions at most every second, and for age every five", async () => {
    const { miner, seen, timers } = setUp({}, 40);
    miner.startContinuous(400);
    const run = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 250) {
        miner.transactionsArrived();
        timers.advance(250);
        await settle();
      }
    };
    await run(4_000);
    assert.ok(seen.built >= 4 && seen.built <= 5, `${seen.built} templates in 4 s of arrivals`);
    seen.built = 0;
    for (let i = 0; i < 60; i++) {
      timers.advance(250);
      await settle();
    }
    assert.ok(seen.built >= 2 && seen.built <= 4, `${seen.built} templates in 15 s of silence`);
    await miner.stop();
  });

  it("counted mining goes first, and continuous mining goes on afterwards", async () => {
    const { miner, chain, timers } = setUp({}, 4);
    miner.startContinuous(400);
    assert.equal((await miner.mineBlocks(3, never)).length, 3);
    assert.equal(miner.status().mode, "continuous");
    const before = chain.length;
    for (let i = 0; i < 8; i++) {
      timers.advance(250);
      await settle();
    }
    assert.ok(chain.length > before);
    await miner.stop();
    await assert.rejects(miner.mineBlocks(1, never), { code: "MINER_STOPPED" });
  });
});
