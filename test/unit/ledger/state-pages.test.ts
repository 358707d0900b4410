import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type AccountRecord,
  accountRoots,
  buildStateTree,
  createStateTree,
  type LedgerTotals,
  type PageNumber,
  pageIndex,
  pageLevel,
  type StateTree,
  TOP_PAGE,
} from "../../../src/ledger/index.ts";
import { hashPair } from "../../../src/primitives/index.ts";
import { referenceStateRoot } from "../../support/block-builder.ts";
import { sha256, toHex } from "../../support/reference-codec.ts";

const SEED = 20_261_125;
const recordAt = (index: number, balance: number): AccountRecord => ({
  index,
  key: toHex(sha256(Uint8Array.of(index & 0xff, index >> 8))),
  balance,
  nonce: index,
});

/** A store of pages and accounts, as the chain has it. */
function createStore() {
  const pages = new Map<PageNumber, Uint8Array>();
  let accounts: readonly AccountRecord[] = [];
  return {
    pages,
    save(tree: StateTree, all: readonly AccountRecord[]) {
      accounts = all;
      for (const { page, children } of tree.drain()) {
        if (children === undefined) pages.delete(page);
        else pages.set(page, children.slice());
      }
    },
    /** The page's children; undefined where they are not there. */
    read(page: PageNumber): Uint8Array | undefined {
      if (pageLevel(page) > 0) return pages.get(page);
      const from = pageIndex(page) * 16;
      const below = accounts.slice(from, from + 16);
      return below.length === 0 ? undefined : accountRoots(below);
    },
  };
}
type Store = ReturnType<typeof createStore>;

function supplyAll(tree: StateTree, store: Store, pages: readonly PageNumber[]): void {
  for (const page of pages) {
    const children = store.read(page);
    assert.ok(children, `page ${pageIndex(page)} of level ${pageLevel(page)} is there`);
    assert.ok(tree.supply(page, children), "and is the tree's");
  }
}

function reopen(store: Store, totals: LedgerTotals): StateTree {
  const tree = createStateTree(totals);
  if (totals.accounts > 0) supplyAll(tree, store, [TOP_PAGE]);
  return tree;
}

test("a tree that is opened anew before every update, with nothing but the pages it asks for, has the full recomputation's root", () => {
  const step = fc.record({
    count: fc.oneof(fc.nat(40), fc.nat(700), fc.constantFrom(0, 1, 15, 16, 17, 255, 256, 257, 272, 513)),
    touched: fc.array(fc.nat(699), { maxLength: 6 }),
    balance: fc.nat(),
    issued: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const store = createStore();
      let accounts: AccountRecord[] = [];
      let totals: LedgerTotals = { accounts: 0, issued: 0, burned: 0 };
      for (const { count, touched, balance, issued } of steps) {
        const tree = reopen(store, totals);
        assert.deepEqual(tree.root, referenceStateRoot(accounts, totals));
        const next = accounts.slice(0, count);
        for (let index = next.length; index < count; index++) next.push(recordAt(index, balance));
        for (const index of touched) if (index < count) next[index] = recordAt(index, balance + 1);
        const changed = next.filter((record, index) => record !== accounts[index]);
        const update = { accounts: changed, totals: { accounts: count, issued, burned: 0 } };
        supplyAll(tree, store, tree.missing(update));
        tree.prepare(update).commit();
        assert.deepEqual(tree.missing(update), []);
        [accounts, totals] = [next, update.totals];
        assert.deepEqual(tree.root, referenceStateRoot(accounts, totals));
        store.save(tree, accounts);
      }
    }),
    { seed: SEED, numRuns: 60 },
  );
});

const many = Array.from({ length: 600 }, (_, index) => recordAt(index, 7));
const totals = { accounts: many.length, issued: 600 * 7, burned: 0 };

test("few pages are stored: none for accounts, and one for every 256 of them and above", () => {
  const store = createStore();
  store.save(buildStateTree({ accounts: many, totals }), many);
  const perLevel = Map.groupBy(store.pages.keys(), pageLevel);
  assert.deepEqual([...perLevel].map(([level, pages]) => [level, pages.length]).sort(), [
    [1, 3],
    [2, 1],
    [3, 1],
    [4, 1],
    [5, 1],
    [6, 1],
    [7, 1],
  ]);
  assert.equal(store.pages.get(TOP_PAGE)?.length, 32, "empty children at the end are left out");
});

test("a page or an account that was changed on the disk is refused by its parent", () => {
  const store = createStore();
  store.save(buildStateTree({ accounts: many, totals }), many);
  const update = { accounts: [many[300] as AccountRecord], totals };
  const asked = reopen(store, totals).missing(update);
  for (const damaged of asked) {
    const tree = reopen(store, totals);
    for (const page of asked) {
      const children = (store.read(page) as Uint8Array).slice();
      if (page === damaged) children[5] = (children[5] ?? 0) ^ 1;
      assert.equal(tree.supply(page, children), page !== damaged);
      if (page === damaged) break;
    }
  }
  const tree = reopen(store, totals);
  supplyAll(tree, store, asked);
  assert.ok(tree.holds(update.accounts));
  assert.ok(!tree.holds([{ ...update.accounts[0], balance: 8 } as AccountRecord]));
  assert.ok(!tree.holds([recordAt(600, 7)]), "beyond the last");
});

test("a proof leads from the root of an account to the root of the state", () => {
  const store = createStore();
  store.save(buildStateTree({ accounts: many, totals }), many);
  for (const index of [0, 15, 16, 255, 256, 599]) {
    const tree = reopen(store, totals);
    const account = many[index] as AccountRecord;
    supplyAll(tree, store, tree.missing({ accounts: [account], totals }));
    const branch = tree.prove(index);
    assert.equal(branch.length, 37);
    let node = accountRoots([account]);
    branch.forEach((sibling, height) => {
      // Below the list's length the index says which side; above it everything is on the left.
      const isRight = height < 32 && Math.floor(index / 2 ** height) % 2 === 1;
      node = isRight ? hashPair(sibling, node) : hashPair(node, sibling);
    });
    assert.deepEqual(node, referenceStateRoot(many, totals));
  }
  assert.throws(() => reopen(store, totals).prove(600), /beyond/);
});

test("memory is bounded: what was not used lately is forgotten, and asked for again", () => {
  const tree = buildStateTree({ accounts: many, totals });
  tree.drain();
  const update = { accounts: many, totals };
  assert.deepEqual(tree.missing(update), []);
  for (let i = 0; i < 2; i++) tree.trim();
  assert.deepEqual(tree.missing(update), [], "few pages stay");
});
