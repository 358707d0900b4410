import assert from "node:assert/strict";
import { test } from "node:test";
import { startAttack } from "../support/attack-lab.ts";
import { testGenesis, transfer } from "../support/block-builder.ts";
import { poll } from "../support/daemon.ts";

test("a branch that was mined in secret and is released makes honest nodes reorg to it, as deep as they were", async (t) => {
  const lab = await startAttack(t, "withhold");
  const { attacker, honest } = lab;
  const [first] = honest;
  assert.ok(first);
  assert.equal((await attacker.client.status()).attack, "withhold");
  assert.equal((await first.client.status()).attack, null);
  const [warning] = attacker.logged(
    "THIS NODE ATTACKS ITS PEERS: it was started with --attack; use it in test networks only",
  );
  assert.equal(warning?.["role"], "withhold");

  await lab.mine(first, 2);
  const common = await lab.agree(2);
  await poll("the attacker has it too", async () => (await attacker.client.status()).head.id === common.id);
  const secret = [...(await lab.mine(attacker, 2))];
  // Behind what honest nodes mine, at a time, and still on its own branch.
  const open = await lab.mine(first, 4);
  await lab.agree(6);
  await poll("it is told so", async () => {
    const told = attacker.logged("a peer's claim is not heeded");
    return told.some(({ height }) => height === 6);
  });
  secret.push(...(await lab.mine(attacker, 3)));
  assert.equal((await attacker.client.status()).head.id, secret.at(-1));
  for (const { client } of honest) {
    assert.deepEqual(
      (await client.tips()).items.map(({ id }) => id),
      [open.at(-1)],
    );
    await assert.rejects(client.block(secret[0] ?? ""), { code: "BLOCK_NOT_FOUND" });
  }
  // What it tells of itself is where it was before, at most.
  const seen = (await first.client.peers()).items.find(({ peer }) => peer === attacker.peer);
  assert.ok(seen?.head && seen.head.height <= 2 && !secret.includes(seen.head.id));

  assert.equal((await attacker.client.block(secret[2] ?? "")).parent, secret[1]);
  await assert.rejects(attacker.client.block(open[0] ?? ""), { code: "BLOCK_NOT_FOUND" });

  const released = await attacker.client.releaseAttack();
  assert.deepEqual(released, {
    released: 5,
    head: { id: secret.at(-1), height: 7, work: (7 * 16).toString(16) },
  });
  assert.equal((await lab.agree(7)).id, secret.at(-1));
  for (const { client } of honest) {
    const [reorg] = (await client.reorgs()).items;
    assert.equal(reorg?.depth, 4);
    assert.equal(reorg?.forkPoint.id, common.id);
  }
  assert.deepEqual(await attacker.client.releaseAttack(), { ...released, released: 0 });

  // And again: the next branch is as secret as the first.
  const [next] = await lab.mine(attacker, 1);
  await lab.mine(first, 1);
  assert.notEqual((await lab.agree(8)).id, next);
});

test("what is given to a withholding node stays out of other mempools and comes with its branch", async (t) => {
  const lab = await startAttack(t, "withhold", 1);
  const [first] = lab.honest;
  assert.ok(first);
  const payment = transfer(testGenesis(), { from: "alice", to: "bob", nonce: 0, amount: 1_000 });
  await lab.attacker.client.submit(payment.bytes);
  await lab.mine(lab.attacker, 1);
  // An exchange of mempools has come and gone when another transaction has.
  const other = transfer(testGenesis(), { from: "bob", to: "alice", nonce: 0, amount: 1_000 });
  await first.client.submit(other.bytes);
  await poll("an honest transaction reaches it", async () => {
    const { fate } = await lab.attacker.client.transaction(other.txid);
    return fate.state === "pending";
  });
  await assert.rejects(first.client.transaction(payment.txid), { code: "TRANSACTION_NOT_FOUND" });
  await lab.attacker.client.releaseAttack();
  await lab.agree(1);
  assert.equal((await first.client.transaction(payment.txid)).fate.state, "mined");
});

test("an honest node releases nothing and says so", async (t) => {
  const lab = await startAttack(t, "withhold", 1);
  await assert.rejects(lab.honest[0]?.client.releaseAttack() ?? Promise.resolve(), {
    code: "ATTACK_OFF",
    status: 404,
  });
});
