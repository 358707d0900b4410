import assert from "node:assert/strict";
import { test } from "node:test";
import { startAttack } from "../support/attack-lab.ts";
import { poll } from "../support/daemon.ts";

test("a node that equivocates splits honest nodes at each height, until an honest block decides", async (t) => {
  const lab = await startAttack(t, "equivocate");
  const { attacker, honest } = lab;
  const [first, other] = honest;
  assert.ok(first && other);
  const heads = async () => Promise.all(honest.map(async ({ client }) => (await client.status()).head));
  for (const height of [1, 2]) {
    await lab.mine(attacker, 1);
    const [a, b] = await poll("the honest nodes stand on different blocks", async () => {
      const both = await heads();
      return both.every((head) => head.height === height) && both[0]?.id !== both[1]?.id && both;
    });
    // Both are whole and valid: children of one block.
    assert.equal(a?.parent, b?.parent);
  }
  const [deciding] = await lab.mine(first, 1);
  assert.equal((await lab.agree(3)).id, deciding);
  await poll("the attacker follows", async () => (await attacker.client.status()).head.id === deciding);
  assert.deepEqual(
    (await other.client.reorgs()).items.map(({ depth }) => depth).filter((depth) => depth > 1),
    [],
    "no reorg was deeper than one block",
  );
});
