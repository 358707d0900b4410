import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type AccountRecord,
  buildStateTree,
  decodeUndo,
  encodeUndo,
  type LedgerTotals,
  type Undo,
} from "../../../src/ledger/index.ts";
import { MAX_AMOUNT } from "../../../src/primitives/index.ts";
import * as arbitrary from "../../support/arbitraries.ts";
import { referenceStateRoot, testGenesis } from "../../support/block-builder.ts";
import {
  type Attempt,
  applyChange,
  applyUndo,
  attempt,
  executeAttempts,
  genesisState,
  inIndexOrder,
  type PlainState,
} from "../../support/random-ledger.ts";
import { listRoot, merkleize, sha256, toHex, uintRoot } from "../../support/reference-codec.ts";

const SEED = 20_260_106;
const genesis = testGenesis({ reward: 1_000_003, halvingInterval: 3 });
const blocks = fc.array(fc.array(attempt, { minLength: 1, maxLength: 12 }), { maxLength: 8 });
const copyOf = (state: PlainState): PlainState => ({
  accounts: new Map(state.accounts),
  totals: state.totals,
});

/** Runs the blocks on a fresh state, calling `each` after every one. */
function replay(
  attempts: readonly (readonly Attempt[])[],
  each: (state: PlainState, undo: Undo, before: PlainState) => void,
): PlainState {
  const state = genesisState(genesis);
  attempts.forEach((list, i) => {
    const before = copyOf(state);
    const { change } = executeAttempts(genesis, state, list, i + 1);
    applyChange(state, change);
    each(state, change.undo, before);
  });
  return state;
}

test("balances and burned units add up to what was issued, after every block", () => {
  let transfers = 0;
  fc.assert(
    fc.property(blocks, (attempts) => {
      replay(attempts, ({ accounts, totals }) => {
        let sum = BigInt(totals.burned);
        for (const { balance, nonce } of accounts.values()) {
          assert.ok(balance >= 0);
          sum += BigInt(balance);
          transfers += nonce;
        }
        assert.equal(sum, BigInt(totals.issued));
        assert.equal(totals.accounts, accounts.size);
      });
    }),
    { seed: SEED, numRuns: 100 },
  );
  assert.ok(transfers > 500, "the blocks are not empty");
});

test("indices are dense: every account has one, from 0 up", () => {
  fc.assert(
    fc.property(blocks, (attempts) => {
      replay(attempts, (state) => {
        inIndexOrder(state).forEach(({ index }, i) => void assert.equal(index, i));
      });
    }),
    { seed: SEED, numRuns: 50 },
  );
});

test("undo gives exactly the state before, block by block back to genesis, also through its bytes", () => {
  fc.assert(
    fc.property(blocks, (attempts) => {
      const undos: { undo: Undo; before: PlainState }[] = [];
      const state = replay(attempts, (_, undo, before) => undos.push({ undo, before }));
      for (const { undo, before } of undos.reverse()) {
        applyUndo(state, decodeUndo(encodeUndo(undo)));
        assert.deepEqual(state, before);
      }
      assert.deepEqual(state, genesisState(genesis));
    }),
    { seed: SEED, numRuns: 100 },
  );
});

test("the state tree's root is the full recomputation's, there and back again", () => {
  fc.assert(
    fc.property(blocks, (attempts) => {
      const tree = buildStateTree(genesis.state);
      const undos: { undo: Undo; root: Uint8Array }[] = [];
      const state = replay(attempts, (_, undo) => {
        undos.push({ undo, root: tree.root });
        const accounts = [...undo.restored.map(({ key }) => key), ...undo.created].map((key) => {
          const record = _.accounts.get(key);
          if (record === undefined) throw new Error("a changed account is there");
          return record;
        });
        tree.prepare({ accounts, totals: _.totals }).commit();
        assert.deepEqual(tree.root, referenceStateRoot(inIndexOrder(_), _.totals));
      });
      for (const { undo, root } of undos.reverse()) {
        applyUndo(state, undo);
        tree.prepare({ accounts: undo.restored, totals: undo.before }).commit();
        assert.deepEqual(tree.root, root);
        assert.deepEqual(tree.root, referenceStateRoot(inIndexOrder(state), state.totals));
      }
    }),
    { seed: SEED, numRuns: 40 },
  );
});

const recordAt = (index: number, balance: number, nonce: number): AccountRecord => ({
  index,
  key: toHex(sha256(Uint8Array.of(index & 0xff, index >> 8))),
  balance,
  nonce,
});

test("the state tree agrees with the recomputation under any growth, update and truncation", () => {
  const step = fc.record({
    count: fc.oneof(fc.nat(9), fc.nat(70), fc.constantFrom(0, 1, 2, 31, 32, 33, 64)),
    touched: fc.array(fc.nat(69), { maxLength: 5 }),
    balance: arbitrary.safeUint64,
    nonce: arbitrary.safeUint64,
    issued: arbitrary.safeUint64,
    burned: arbitrary.safeUint64,
    commit: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 10 }), (steps) => {
      let accounts: AccountRecord[] = [];
      let totals: LedgerTotals = { accounts: 0, issued: 0, burned: 0 };
      const tree = buildStateTree({ accounts, totals });
      for (const { count, touched, balance, nonce, issued, burned, commit } of steps) {
        const next = accounts.slice(0, count);
        for (let index = next.length; index < count; index++) next.push(recordAt(index, balance, nonce));
        for (const index of touched) if (index < count) next[index] = recordAt(index, balance, nonce);
        const changed = next.filter((record, index) => record !== accounts[index]);
        const after = { accounts: count, issued, burned };
        const pending = tree.prepare({ accounts: changed, totals: after });
        assert.deepEqual(pending.root, referenceStateRoot(next, after));
        assert.deepEqual(
          tree.root,
          referenceStateRoot(accounts, totals),
          "nothing happens before the commit",
        );
        if (!commit) continue;
        pending.commit();
        [accounts, totals] = [next, after];
        assert.deepEqual(tree.root, pending.root);
      }
    }),
    { seed: SEED, numRuns: 150 },
  );
});

test("the state root is what the formats say, assembled by hand", () => {
  const accounts = [recordAt(0, 5, 1), recordAt(1, MAX_AMOUNT, 0), recordAt(2, 0, 7)];
  const totals = { accounts: 3, issued: 12_345, burned: 678 };
  const roots = accounts.map(({ key, balance, nonce }) =>
    merkleize([new Uint8Array(Buffer.from(key, "hex")), uintRoot(balance), uintRoot(nonce)], 2),
  );
  const expected = merkleize([listRoot(roots, 32), uintRoot(12_345), uintRoot(678)], 4);
  assert.equal(toHex(buildStateTree({ accounts, totals }).root), toHex(expected));
  assert.equal(toHex(referenceStateRoot(accounts, totals)), toHex(expected));
});

test("an account beyond the count is a mistake of ours and throws", () => {
  const tree = buildStateTree(genesis.state);
  assert.throws(
    () => tree.prepare({ accounts: [recordAt(3, 1, 0)], totals: genesis.state.totals }),
    /beyond/,
  );
});
