import assert from "node:assert/strict";
import { test } from "node:test";
import { startAttack } from "../support/attack-lab.ts";
import { poll } from "../support/daemon.ts";

test("a selfish miner wins ties that it decides and leads of two, and honest nodes follow one branch", async (t) => {
  const lab = await startAttack(t, "selfish-miner");
  const { attacker, honest } = lab;
  const [first] = honest;
  assert.ok(first);
  const knows = (id: string | undefined) =>
    poll("the miner knows it", async () => (await attacker.client.block(id ?? "")).id === id);
  const headOf = async () => (await first.client.status()).head.id;

  // State 1: one secret block. State 0': it is shown when the others draw level, and they stay with their own.
  const [secret] = await lab.mine(attacker, 1);
  const [open] = await lab.mine(first, 1);
  await knows(open);
  await poll("both branches are known", async () => (await first.client.tips()).items.length === 2);
  assert.equal(await headOf(), open);
  assert.equal((await attacker.client.status()).head.id, secret);
  // It finds the next one: its branch has won, and the others' block is lost.
  const [second] = await lab.mine(attacker, 1);
  assert.equal((await lab.agree(2)).id, second);

  // A lead of two is cashed in as soon as the others find one.
  const lead = await lab.mine(attacker, 2);
  assert.equal(await headOf(), second);
  const [lost] = await lab.mine(first, 1);
  assert.equal((await lab.agree(4)).id, lead.at(-1));
  assert.notEqual(lost, lead[0]);

  // Of a longer lead it shows as many as the others have; in the end they have worked for nothing.
  const branch = await lab.mine(attacker, 4);
  const own: (string | undefined)[] = [];
  for (let i = 0; i < 2; i++) {
    own.push(...(await lab.mine(first, 1)));
    await knows(own.at(-1));
    await poll("a block of the branch is shown", async () => (await first.client.block(branch[i] ?? "")).id);
    await assert.rejects(first.client.block(branch[i + 1] ?? ""), { code: "BLOCK_NOT_FOUND" });
  }
  own.push(...(await lab.mine(first, 1)));
  assert.equal((await lab.agree(8)).id, branch.at(-1));
  const depths = (await first.client.reorgs()).items.map(({ depth }) => depth);
  assert.deepEqual(depths, [3, 1, 1]);

  // What it can get beyond that: nothing. A public block that it has no answer to is followed.
  const [last] = await lab.mine(first, 1);
  await poll("the miner follows", async () => (await attacker.client.status()).head.id === last);
});
