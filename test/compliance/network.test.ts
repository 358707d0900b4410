import { randomBytes } from "node:crypto";
import { createLibp2pNetwork } from "../../src/network/libp2p-network.ts";
import { createSystemClock } from "../../src/node/adapters/system-clock.ts";
import { createSystemRandom } from "../../src/node/adapters/system-random.ts";
import { createSystemTimers } from "../../src/node/adapters/system-timers.ts";
import { createMemoryNetworkHub, silentLogger } from "../../src/ports/index.ts";
import { describeNetwork } from "./network.ts";

const deps = {
  clock: createSystemClock(),
  timers: createSystemTimers(),
  random: createSystemRandom(),
  logger: silentLogger,
};

const hub = createMemoryNetworkHub(deps);
let joined = 0;
describeNetwork("in memory", async () => hub.join(`node-${++joined}`));

describeNetwork("libp2p over TCP on loopback", () =>
  createLibp2pNetwork(deps, { privateKeySeed: randomBytes(32), listen: ["/ip4/127.0.0.1/tcp/0"] }),
);
