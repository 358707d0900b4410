import assert from "node:assert/strict";
import { test } from "node:test";
import { createNodeLinks, type LinkChange } from "../../../src/node/links.ts";
import {
  createManualClock,
  createManualTimers,
  createMemoryMetrics,
  createMemoryNetworkHub,
  type LinkShapes,
  silentLogger,
} from "../../../src/ports/index.ts";
import { PEER } from "../../support/stub-node-service.ts";

const OTHER = "12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu";

function start() {
  const clock = createManualClock();
  const timers = createManualTimers(clock);
  const network = createMemoryNetworkHub({ clock, timers }).join("self");
  const shaped: (LinkShapes | undefined)[] = [];
  network.shape = (_peer, shapes) => void shaped.push(shapes);
  let redials = 0;
  const supervisor = { redialNow: () => void redials++ };
  const metrics = createMemoryMetrics();
  const links = createNodeLinks({ network, supervisor, clock, timers, logger: silentLogger, metrics });
  const changes: LinkChange[] = [];
  links.onChange((change) => changes.push(change));
  return { clock, timers, network, links, metrics, shaped, changes, redials: () => redials };
}

test("a link is refused or shaped in place of what it was, and healed with a redial", async () => {
  const { network, links, shaped, changes, redials } = start();
  await links.setLink(PEER, { mode: "refuse" });
  assert.deepEqual(network.refused(), [PEER]);
  const link = await links.setLink(PEER, { mode: "shape", out: { delayMs: 80, lossRatio: 0 }, in: {} });
  assert.deepEqual(link, { peer: PEER, mode: "shape", out: { delayMs: 80 }, in: null, untilMs: null });
  assert.deepEqual(await links.links(), [link]);
  assert.deepEqual(network.refused(), []);
  assert.deepEqual(shaped.at(-1), { out: { delayMs: 80 }, in: undefined });
  const before = redials();
  assert.equal(await links.healLink(PEER), true);
  assert.equal(await links.healLink(PEER), false);
  assert.equal(redials(), before + 2);
  assert.deepEqual([shaped.at(-1), await links.links()], [undefined, []]);
  assert.deepEqual(
    changes.map(({ mode }) => mode),
    ["refuse", "shape", "whole"],
  );
});

test("metrics tell how many links are refused and how many are shaped", async () => {
  const { links, metrics } = start();
  const counts = async () =>
    [...(await metrics.text()).matchAll(/^cumulo_network_links\{mode="\w+"\} (\d+)$/gm)].map(
      ([, count]) => count,
    );
  await links.setLink(PEER, { mode: "refuse" });
  assert.deepEqual(await counts(), ["1", "0"]);
  await links.setLink(PEER, { mode: "shape", out: { delayMs: 80 } });
  assert.deepEqual(await counts(), ["0", "1"]);
  await links.healLink(PEER);
  assert.deepEqual(await counts(), ["0", "0"]);
});

test("a shape that does nothing is a whole link", async () => {
  const { links, changes } = start();
  await links.setLink(PEER, { mode: "refuse" });
  const link = await links.setLink(PEER, { mode: "shape", out: { delayMs: 0, blackhole: false } });
  assert.deepEqual(link, { peer: PEER, mode: "shape", out: null, in: null, untilMs: null });
  assert.deepEqual(await links.links(), []);
  assert.deepEqual(changes.at(-1), { peer: PEER, mode: "whole" });
});

test("a time ends a link by itself; what is set or healed before ends the time", async () => {
  const { timers, clock, network, links, changes, redials } = start();
  const refused = await links.setLink(PEER, { mode: "refuse", forMs: 1_000 });
  assert.equal(refused.untilMs, clock.nowMs() + 1_000);
  timers.advance(1_000);
  assert.deepEqual([network.refused(), redials()], [[], 1]);
  assert.deepEqual(changes.at(-1), { peer: PEER, mode: "whole" });

  await links.setLink(PEER, { mode: "refuse", forMs: 1_000 });
  await links.setLink(PEER, { mode: "shape", out: { delayMs: 5 } });
  await links.setLink(OTHER, { mode: "refuse", forMs: 1_000 });
  await links.healLink(OTHER);
  await links.setLink(OTHER, { mode: "refuse" });
  timers.advance(60_000);
  assert.deepEqual(
    (await links.links()).map(({ peer, mode }) => [peer, mode]),
    [
      [PEER, "shape"],
      [OTHER, "refuse"],
    ],
  );
  await links.setLink(PEER, { mode: "refuse", forMs: 1_000 });
  links.stop();
  assert.equal(timers.pending, 0);
});

test("what is no peer's name, or this node's own, is refused by name", async () => {
  const { links } = start();
  for (const peer of ["self", "12D3KooWnobody"])
    await assert.rejects(links.setLink(peer, { mode: "refuse" }), {
      code: "PEER_INVALID",
      message: new RegExp(peer),
    });
});
