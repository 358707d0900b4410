import assert from "node:assert/strict";
import { test } from "node:test";
import { sealTransaction } from "../../../src/primitives/index.ts";
import { testGenesis, transfer } from "../../support/block-builder.ts";
import { openPool, words } from "../../support/pool-lab.ts";

const genesis = testGenesis();

test("a forged signature under a pending txid is the fault of whoever passed it on (case 16)", async () => {
  const { pool } = await openPool(genesis);
  const pending = transfer(genesis, { from: "alice", to: "bob", amount: 1, nonce: 0 });
  const forged = sealTransaction({ ...pending.transaction, signature: new Uint8Array(64).fill(7) });
  const fresh = transfer(genesis, { from: "bob", to: "alice", amount: 1, nonce: 0 });
  await pool.admit([pending]);
  const judged = await pool.admit([forged, fresh]);
  assert.equal(judged.find(({ transaction }) => transaction === forged)?.senderAtFault, true);
  assert.equal(words(judged)[0], "TX-03");
  assert.deepEqual(words(await pool.admit([pending])), ["known"]);
});
