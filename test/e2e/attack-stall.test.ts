import assert from "node:assert/strict";
import { test } from "node:test";
import { startAttack } from "../support/attack-lab.ts";
import { converged, poll } from "../support/daemon.ts";

/** Five seconds to the first byte of an answer that does not come, and what a loaded machine adds. */
const HELD_UP_MS = 15_000;

test("a node that answers no requests holds up whoever knows nobody else, and not for long when somebody does", async (t) => {
  const lab = await startAttack(t, "stall", 1);
  const { attacker, honest } = lab;
  const [first] = honest;
  assert.ok(first);
  await lab.mine(first, 20);
  await poll("the attacker has the chain", async () => (await attacker.client.status()).head.height === 20);
  const late = await lab.join([attacker]);
  const claim = await poll("the newcomer hears of the chain", async () => {
    const [peer] = (await late.client.peers()).items;
    return peer?.head?.height === 20 && peer;
  });
  assert.equal(claim.peer, attacker.peer);
  await poll("the newcomer's time for an answer is up", () =>
    late.logged("a sync request failed").some(({ peer }) => peer === attacker.peer),
  );
  assert.equal((await late.client.status()).head.height, 0);
  const { findings } = await late.client.doctor();
  assert.ok(findings.some(({ code }) => code === "CLAIM_NOT_SHOWN"));
  await late.client.addPeer(first.multiaddr);
  await converged([first, late], HELD_UP_MS);
});
