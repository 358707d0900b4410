import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2pNetwork } from "../../../src/network/index.ts";
import { createSystemClock } from "../../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../../src/node/adapters/system-timers.ts";
import { createHostilePeer } from "../../support/hostile-peer.ts";
import { createRecordingLogger } from "../../support/recording-logger.ts";
import { until } from "../../support/until.ts";

test("a peer that says it gossips and refuses every gossip stream loses its connection; one that never gossips stays", async () => {
  const logger = createRecordingLogger();
  const network = await createLibp2pNetwork(
    { clock: createSystemClock(), timers: createSystemTimers(), random: createSystemRandom(), logger },
    { privateKeySeed: randomBytes(32), listen: ["/ip4/127.0.0.1/tcp/0"] },
  );
  await network.start();
  const address = multiaddr(network.addresses()[0]);
  const [deaf, silent] = [await createHostilePeer(), await createHostilePeer()];
  await deaf.handle("/meshsub/1.2.0", (stream) => stream.abort(new Error("no")));
  await Promise.all([deaf.dial(address), silent.dial(address)]);
  await until("both are connected", () => network.connections().length === 2);
  await until("the deaf one is dropped", () => network.connections().length === 1, 20_000);
  assert.equal(network.connections()[0]?.peer, silent.peerId.toString());
  assert.ok(
    logger.lines.some(({ peer, message }) => peer === deaf.peerId.toString() && /gossip/.test(message)),
  );
  await Promise.all([network.stop(), deaf.stop(), silent.stop()]);
});
