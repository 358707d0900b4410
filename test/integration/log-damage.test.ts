import assert from "node:assert/strict";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import { createSeededRandom } from "../../src/ports/index.ts";
import type { Block, SealedTransaction } from "../../src/primitives/index.ts";
import { createBlockBuilder, testGenesis, transfer } from "../support/block-builder.ts";
import { headStateRoot, importAll, openTestChain, replayedRoot } from "../support/chain-lab.ts";
import { copyWithHole, copyWithTailLost, newestLog } from "../support/log-damage.ts";
import { createRecordingLogger } from "../support/recording-logger.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

const SEED = 36;
const genesis = testGenesis({ difficultyBits: 0 });
const NAMES = ["alice", "bob", "carol"];

/** Blocks with transfers, with a reorg of depth 2 every 6 blocks; the last one is the heaviest. */
function createStream(length: number): Block[] {
  const builder = createBlockBuilder(genesis);
  const stream: Block[] = [];
  const trunk: string[] = [builder.tip];
  while (stream.length < length) {
    const height = trunk.length;
    const parent = trunk[height - 1] ?? "";
    const transactions: SealedTransaction[] = NAMES.map((from) => {
      const nonce = builder.account(parent, from)?.nonce ?? 0;
      return transfer(genesis, {
        from,
        to: `guest ${height % 9}`,
        amount: 1_000 + height,
        nonce,
        memo: "m".repeat(64),
      });
    });
    if (height % 6 === 0) {
      const back = trunk[height - 3] ?? "";
      stream.push(...builder.extend(3, { parent: back, proposer: "rival" }));
      trunk.length = height - 2;
      trunk.push(...stream.slice(-3).map(({ header }) => header.id));
      continue;
    }
    const block = builder.build({ parent, transactions });
    stream.push(block);
    trunk.push(block.header.id);
  }
  return stream;
}

/**
 * Runs blocks of the stream into a database and leaves its directory as a power cut would: no close, log and all. Stops
 * where at least `atLeast` blocks are in and the log has several of LevelDB's 32 KiB blocks, so that one can be lost.
 */
async function createDatabase(
  t: TestContext,
  writeBufferBytes: number,
  atLeast: number,
): Promise<{ database: string; stream: Block[]; sizeBytes: number }> {
  const directory = await temporaryDirectory(t);
  const live = join(directory, "live");
  const chain = await openTestChain(genesis, {
    store: await createLevelStore({ directory: live, writeBufferBytes }),
  });
  const all = createStream(200);
  const stream: Block[] = [];
  for (const block of all) {
    const [result] = await importAll(chain, [block]);
    stream.push(block);
    const isHead = result?.status === "connected";
    if (isHead && stream.length >= atLeast && (await newestLog(live)).sizeBytes > 100_000) break;
  }
  assert.ok(stream.length < all.length && chain.head.id === stream.at(-1)?.header.id);
  const database = join(directory, "copy");
  await cp(live, database, { recursive: true });
  await chain.close();
  return { database, stream, sizeBytes: (await newestLog(database)).sizeBytes };
}

interface Opened {
  readonly height: number;
  readonly rebuilt: boolean;
  readonly warned: boolean;
}

/** Opens a damaged copy, holds its head against a replay, imports everything again and opens it once more. */
async function openDamaged(
  directory: string,
  stream: readonly Block[],
  writeBufferBytes: number,
  where: string,
): Promise<Opened> {
  const logger = createRecordingLogger();
  const chain = await openTestChain(genesis, {
    store: await createLevelStore({ directory, writeBufferBytes }),
    logger,
  });
  const { height } = chain.head;
  const opened = {
    height,
    rebuilt: chain.rebuilt,
    warned: logger.lines.some(({ level }) => level === "warn"),
  };
  assert.equal(chain.tree.best().id, chain.head.id, where);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain), where);
  await importAll(chain, stream);
  assert.equal(chain.head.id, stream.at(-1)?.header.id, `${where}: catches up`);
  assert.deepEqual(await headStateRoot(chain), await replayedRoot(chain), where);
  await chain.close();
  const again = await openTestChain(genesis, {
    store: await createLevelStore({ directory, writeBufferBytes }),
  });
  assert.equal(again.rebuilt, false, `${where}: mended for good`);
  assert.equal(again.head.id, stream.at(-1)?.header.id, where);
  await again.close();
  return opened;
}

for (const [name, writeBufferBytes] of [
  ["with everything in one log", 4 * 1024 * 1024],
  ["with tables behind the log", 160 * 1024],
] as const) {
  test(`case 36: a lost tail of the log leaves an earlier whole head, which catches up, ${name}`, async (t) => {
    const { database, stream, sizeBytes } = await createDatabase(t, writeBufferBytes, 110);
    const random = createSeededRandom(SEED);
    const heights = new Set<number>();
    for (let round = 0; round < 24; round++) {
      const at = round === 0 ? 0 : Math.floor(random.fraction() * sizeBytes);
      const copy = `${database}-${round}`;
      await copyWithTailLost(database, copy, at);
      const { height } = await openDamaged(
        copy,
        stream,
        writeBufferBytes,
        `log cut at ${at} of ${sizeBytes}`,
      );
      heights.add(height);
      await rm(copy, { recursive: true });
    }
    assert.ok(heights.size > 5, `the cuts hit ${heights.size} different heads`);
  });

  test(`case 36: a zeroed hole in the middle of the log is noticed and mended, ${name}`, async (t) => {
    const { database, stream, sizeBytes } = await createDatabase(t, writeBufferBytes, 110);
    const random = createSeededRandom(SEED + 1);
    let rebuilt = 0;
    for (let round = 0; round < 30; round++) {
      const at = Math.floor(random.fraction() * sizeBytes * 0.9);
      const length = round % 3 === 0 ? 4_096 : 1 + Math.floor(random.fraction() * (sizeBytes - at) * 0.5);
      const copy = `${database}-${round}`;
      await copyWithHole(database, copy, at, length);
      const opened = await openDamaged(
        copy,
        stream,
        writeBufferBytes,
        `zeros at ${at}+${length} of ${sizeBytes}`,
      );
      if (opened.rebuilt) rebuilt += 1;
      assert.equal(opened.rebuilt, opened.warned);
      await rm(copy, { recursive: true });
    }
    assert.ok(rebuilt >= 10, `only ${rebuilt} of the holes lost batches in the middle`);
  });
}
