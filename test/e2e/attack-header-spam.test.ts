import assert from "node:assert/strict";
import { test } from "node:test";
import { startAttack } from "../support/attack-lab.ts";
import { poll } from "../support/daemon.ts";

/** Four blocks a second at most, and the test's own; far more would be a spammer that nothing bounds. */
const MAX_TREE = 400;

test("honest nodes agree on what they mine while a node sends them headers that cost it nothing", async (t) => {
  const lab = await startAttack(t, "header-spam");
  const { attacker, honest } = lab;
  const [first, other] = honest;
  assert.ok(first && other);
  await lab.mine(first, 3);
  await lab.agree(3);

  // What it gossips has proof of work and breaks a rule: on a side branch nobody finds out, on the head all do.
  const { rule } = await poll("a block of it was found invalid", async () => {
    return (await first.client.tips()).items.find(({ state }) => state === "invalid");
  });
  assert.equal(rule, "STA-01");
  // The doctor tells of it, and that nobody follows it.
  const { severity, details } = await poll("the doctor tells of one on the head", async () =>
    (await first.client.doctor()).findings.find(({ code }) => code === "BETTER_BRANCH_REFUSED"),
  );
  assert.deepEqual([details["rule"], typeof details["peer"]], ["STA-01", "string"]);
  assert.match(severity, /^(warning|problem)$/);
  const [second] = await lab.mine(other, 1);
  assert.equal((await lab.agree(4)).id, second);

  // The chain that it claims has no blocks: whoever asks for them sends it away.
  for (const node of honest)
    await poll("it is sent away", () =>
      node
        .logged("a peer broke the protocol and loses its connection")
        .some(({ peer, reason }) => peer === attacker.peer && /has not the blocks/.test(String(reason))),
    );
  const [third] = await lab.mine(first, 1);
  assert.equal((await lab.agree(5)).id, third);
  for (const { client } of honest) {
    const { items } = await client.tree(100);
    assert.ok(items.length < MAX_TREE, `${items.length} blocks`);
    // While it asks for the blocks that are not there, a node says that it syncs; it mines all the same.
    await poll("it is through with the spammer", async () => (await client.status()).state === "synced");
  }
});
