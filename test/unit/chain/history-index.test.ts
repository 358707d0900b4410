import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Chain,
  createHistoryIndex,
  type HistoryIndex,
  type HistoryItem,
} from "../../../src/chain/index.ts";
import {
  createMemoryStore,
  createSeededRandom,
  type KeyValueStore,
  type MemoryStoreData,
  silentLogger,
} from "../../../src/ports/index.ts";
import { bytesToHex, rewardAt } from "../../../src/primitives/index.ts";
import { createBlockBuilder, keyOf, testGenesis, transfer } from "../../support/block-builder.ts";
import { fromPeer, importAll, openTestChain } from "../../support/chain-lab.ts";
import { createFailingStore } from "../../support/failing-store.ts";
import { createRealTimers } from "../../support/real-time.ts";
import { seededStream, streamGenesis } from "../../support/seeded-stream.ts";
import { until } from "../../support/until.ts";

const accountOf = (name: string): string => bytesToHex(keyOf(name).publicKey);

interface OpenOptions {
  readonly data?: MemoryStoreData;
  readonly store?: (data: MemoryStoreData) => KeyValueStore;
  readonly isBusy?: () => boolean;
  readonly chainView?: Partial<Chain>;
  readonly onAnew?: () => void;
  readonly onIndexed?: () => void;
}

/** An index in memory; `data` outlives it. */
async function openIndex(t: TestContext, chain: Chain, options: OpenOptions = {}): Promise<HistoryIndex> {
  const { data = new Map(), store = createMemoryStore, isBusy = () => false, onAnew } = options;
  const index = await createHistoryIndex({
    // Its head moves, so it is looked through, not copied.
    chain: Object.create(chain, Object.getOwnPropertyDescriptors(options.chainView ?? {})) as Chain,
    openStore: async ({ anew }) => {
      if (anew) {
        data.clear();
        onAnew?.();
      }
      return store(data);
    },
    timers: createRealTimers(),
    logger: silentLogger,
    isBusy,
    ...(options.onIndexed && { onIndexed: options.onIndexed }),
  });
  t.after(() => index.close());
  return index;
}

const allOf = async (index: HistoryIndex, account: string): Promise<HistoryItem[]> => {
  const items: HistoryItem[] = [];
  for (let more = true, last: HistoryItem | undefined; more; last = items.at(-1)) {
    const page = await index.page(account, { limit: 7, ...(last === undefined ? {} : { before: last }) });
    items.push(...page.items);
    more = page.more;
  }
  return items;
};

/** The history of every account by its definition: a scan of the best chain with plain sums, newest first. */
async function scanned(chain: Chain): Promise<Map<string, HistoryItem[]>> {
  const { spec, state, block: genesisBlock } = chain.genesis;
  const histories = new Map<string, HistoryItem[]>();
  const note = (account: string, item: HistoryItem): void => {
    histories.set(account, [item, ...(histories.get(account) ?? [])]);
  };
  const nobody = { transaction: undefined, counterpart: undefined, fee: 0 };
  for (const { key, balance } of state.accounts)
    note(key, {
      ...nobody,
      direction: "allocation",
      amount: balance,
      height: 0,
      position: 0,
      block: genesisBlock.header.id,
      timestampMs: genesisBlock.header.header.core.timestampMs,
    });
  for (let height = 1; height <= chain.head.height; height++) {
    const block = await chain.blocks.block(chain.idAt(height) ?? "");
    if (block === undefined) throw new Error(`height ${height} is missing`);
    const { timestampMs, proposer } = block.header.header.core;
    const at = { height, block: block.header.id, timestampMs };
    let income = rewardAt(spec, height);
    block.transactions.forEach(({ txid, sender, recipient, transaction: { body } }, position) => {
      const { amount } = body.action.value;
      const item = { ...at, position, transaction: txid, amount, fee: body.fee };
      // Every account that exists has a history.
      income += body.fee - (histories.has(recipient) ? 0 : spec.accountCreationFee);
      if (sender === recipient) note(sender, { ...item, direction: "self", counterpart: sender });
      else {
        note(sender, { ...item, direction: "out", counterpart: recipient });
        note(recipient, { ...item, direction: "in", counterpart: sender });
      }
    });
    if (income > 0)
      note(bytesToHex(proposer), {
        ...at,
        ...nobody,
        direction: "reward",
        position: 2 ** 32 - 1,
        amount: income,
      });
  }
  return histories;
}

/** The index is all of the best chain's history and nothing else, and each history sums up to the account's balance. */
async function assertWhole(chain: Chain, index: HistoryIndex, data: MemoryStoreData): Promise<void> {
  const expected = await scanned(chain);
  let entries = 0;
  for (const [account, items] of expected) {
    assert.deepEqual(await allOf(index, account), items);
    entries += items.length;
    const balance = items.reduce((sum, { direction, amount, fee }) => {
      if (direction === "self") return sum - fee;
      return direction === "out" ? sum - amount - fee : sum + amount;
    }, 0);
    const [record] = await chain.accounts([account]);
    assert.equal(balance, record?.balance);
  }
  const stored = [...data.values()].filter(({ key }) => key[0] === "e".charCodeAt(0)).length;
  assert.equal(stored, entries, "no entry of a block that is gone is left");
}

const standsAtHead = (chain: Chain, index: HistoryIndex) =>
  until("the index stands at the head", async () => {
    const { indexed } = await index.page(accountOf("alice"), { limit: 1 });
    return indexed.id === chain.head.id;
  });

describe("history index", () => {
  it("names each transfer on both sides, rewards with fees, and what genesis gave, newest first", async (t) => {
    const genesis = testGenesis();
    const builder = createBlockBuilder(genesis);
    const chain = await openTestChain(genesis);
    const pay = transfer(genesis, { from: "alice", to: "dave", amount: 500, nonce: 0, fee: 2_000_000 });
    const self = transfer(genesis, { from: "alice", to: "alice", amount: 7, nonce: 1, fee: 30_000 });
    // The account is new to the first transfer only.
    const again = transfer(genesis, { from: "carol", to: "dave", amount: 1, nonce: 0, fee: 20_000 });
    await importAll(chain, [builder.build({ transactions: [pay, self, again], proposer: "bob" })]);
    const data: MemoryStoreData = new Map();
    const index = await openIndex(t, chain, { data });
    await standsAtHead(chain, index);
    const shown = async (name: string) =>
      (await allOf(index, accountOf(name))).map(({ direction, amount, fee, height }) => [
        direction,
        amount,
        fee,
        height,
      ]);
    assert.deepEqual(await shown("dave"), [
      ["in", 1, 20_000, 1],
      ["in", 500, 2_000_000, 1],
    ]);
    assert.deepEqual(await shown("alice"), [
      ["self", 7, 30_000, 1],
      ["out", 500, 2_000_000, 1],
      ["allocation", 100_000_000_000, 0, 0],
    ]);
    const income = genesis.spec.reward + 2_050_000 - genesis.spec.accountCreationFee;
    assert.deepEqual(await shown("bob"), [
      ["reward", income, 0, 1],
      ["allocation", 100_000_000_000, 0, 0],
    ]);
    assert.deepEqual(await allOf(index, accountOf("nobody")), []);
    await assertWhole(chain, index, data);
  });

  for (const seed of [1, 2, 3, 4, 5, 6])
    it(`killed at any point over random reorgs it equals a scan of the best chain (seed ${seed})`, async (t) => {
      const random = createSeededRandom(seed);
      const chain = await openTestChain(streamGenesis());
      const stream = seededStream(seed);
      const data: MemoryStoreData = new Map();
      for (let life = 0; life < 12; life++) {
        // A kill is a write that does not happen, nor any after it.
        const goodWrites = Math.floor(random.fraction() * 12);
        const index = await openIndex(t, chain, {
          data,
          store: (kept) => createFailingStore(kept, goodWrites),
        }).catch(() => undefined);
        for (let i = Math.floor(random.fraction() * 25); i > 0; i--) {
          await chain.import(stream.next().value, fromPeer());
          if (random.fraction() < 0.3) await index?.caughtUp();
        }
        await index?.caughtUp();
        await index?.close();
      }
      const index = await openIndex(t, chain, { data });
      await standsAtHead(chain, index);
      await assertWhole(chain, index, data);
      assert.ok(chain.lastReorg > 2, "there were reorgs");
    });

  it("waits while the node is busy, and says how far it is", async (t) => {
    const genesis = streamGenesis();
    const chain = await openTestChain(genesis);
    let busy = true;
    const index = await openIndex(t, chain, { isBusy: () => busy });
    await importAll(chain, createBlockBuilder(genesis).extend(5));
    await index.caughtUp();
    assert.equal((await index.page(accountOf("alice"), { limit: 5 })).indexed.height, 0);
    busy = false;
    await standsAtHead(chain, index);
  });

  it("goes on where it was after a start, and is made anew where it is damaged or another chain's", async (t) => {
    const genesis = streamGenesis();
    const builder = createBlockBuilder(genesis);
    const chain = await openTestChain(genesis);
    await importAll(chain, builder.extend(3));
    const data: MemoryStoreData = new Map();
    let made = 0;
    const reopened = async (over: Chain = chain) => {
      const index = await openIndex(t, over, { data, onAnew: () => made++ });
      await standsAtHead(over, index);
      await index.close();
    };
    await reopened();
    await importAll(chain, builder.extend(2));
    await reopened();
    assert.equal(made, 1, "made once, gone on with since");
    // A batch that LevelDB lost without a word.
    const lost = [...data].find(([, { key }]) => key[0] === "s".charCodeAt(0) && key[8] === 2);
    assert.ok(lost !== undefined);
    data.delete(lost[0]);
    await reopened();
    assert.equal(made, 2);
    const other = await openTestChain(testGenesis({ difficultyBits: 0, reward: 7 }));
    await reopened(other);
    assert.equal(made, 3);
  });

  it("blocks that were pruned before they were indexed are told as the height where the history begins", async (t) => {
    const genesis = streamGenesis();
    const chain = await openTestChain(genesis, { pruneDepth: 4 });
    await importAll(chain, createBlockBuilder(genesis).extend(9));
    await chain.prune();
    const { firstHeight } = chain;
    assert.ok(firstHeight > 1);
    const index = await openIndex(t, chain);
    await standsAtHead(chain, index);
    const page = await index.page(accountOf("miner"), { limit: 10 });
    assert.equal(page.firstHeight, firstHeight);
    assert.deepEqual(
      page.items.map(({ height }) => height),
      Array.from({ length: 10 - firstHeight }, (_, i) => 9 - i),
    );
  });

  it("a block that is pruned while it is read counts as pruned, and one above waits", async (t) => {
    const genesis = streamGenesis();
    const chain = await openTestChain(genesis);
    await importAll(chain, createBlockBuilder(genesis).extend(4));
    const gone = new Set([1, 3].map((height) => chain.idAt(height)));
    const undo: Chain["blocks"]["undo"] = async (id) =>
      gone.has(id) ? Promise.reject(new Error("it is gone")) : chain.blocks.undo(id);
    const chainView = { blocks: { ...chain.blocks, undo }, firstHeight: 2 };
    const index = await openIndex(t, chain, { chainView });
    await index.caughtUp();
    const page = await index.page(accountOf("miner"), { limit: 10 });
    assert.deepEqual([page.firstHeight, page.indexed.height], [2, 2]);
  });

  it("pruning leaves what the index has not read, and goes on as it reads", async (t) => {
    const genesis = streamGenesis();
    let index: HistoryIndex | undefined;
    let busy = true;
    const chain = await openTestChain(genesis, { pruneDepth: 4, usedUpTo: () => index?.usedUpTo() ?? 0 });
    const onIndexed = () => void chain.prune();
    index = await openIndex(t, chain, { isBusy: () => busy, onIndexed });
    await importAll(chain, createBlockBuilder(genesis).extend(30));
    await chain.prune();
    assert.deepEqual([index.usedUpTo(), chain.firstHeight], [0, 0]);
    busy = false;
    await until("the blocks were indexed and pruned", () => chain.firstHeight > 25);
    const page = await index.page(accountOf("miner"), { limit: 100 });
    assert.deepEqual([page.firstHeight, page.items.length], [0, 30]);
    await chain.close();
  });

  it("an index that stands on a branch needs its blocks back to the fork, also when closed; one that failed needs none", async (t) => {
    const genesis = streamGenesis();
    const chain = await openTestChain(genesis);
    const builder = createBlockBuilder(genesis);
    const [first] = builder.extend(1);
    const short = builder.extend(2);
    await importAll(chain, [...(first === undefined ? [] : [first]), ...short]);
    let busy = false;
    const index = await openIndex(t, chain, { isBusy: () => busy });
    await standsAtHead(chain, index);
    assert.equal(index.usedUpTo(), 3);
    busy = true;
    await importAll(chain, builder.extend(3, { parent: first?.header.id ?? "", proposer: "rival" }));
    assert.equal(index.usedUpTo(), 1);
    await index.close();
    assert.equal(index.usedUpTo(), 1, "the next start needs what this one did not read");
    const failing = await openIndex(t, chain, { store: (data) => createFailingStore(data, 1) });
    await failing.caughtUp();
    assert.equal(failing.usedUpTo(), Number.MAX_SAFE_INTEGER);
  });

  it("a failing disk stops the index, not the chain", async (t) => {
    const genesis = streamGenesis();
    const chain = await openTestChain(genesis);
    const index = await openIndex(t, chain, { store: (data) => createFailingStore(data, 1) });
    await importAll(chain, createBlockBuilder(genesis).extend(3));
    await index.caughtUp();
    assert.equal(chain.head.height, 3);
    await assert.rejects(index.page(accountOf("alice"), { limit: 1 }), {
      code: "CHAIN_STOPPED",
      message: /history index stopped: no space left/,
    });
  });
});
