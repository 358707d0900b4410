import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { specToJson } from "../../src/primitives/index.ts";
import { testGenesis } from "../support/block-builder.ts";
import { createLab, type Daemon, poll } from "../support/daemon.ts";

/** How busy the test machine is, and how full its disk, is no part of the tests. */
const OF_THE_MACHINE = ["EVENT_LOOP_BUSY", "DISK_FULL", "DISK_NEARLY_FULL"];
const codesOf = async ({ client }: Daemon): Promise<string[]> =>
  (await client.doctor()).findings.map(({ code }) => code).filter((code) => !OF_THE_MACHINE.includes(code));
const has = (node: Daemon, code: string) =>
  poll(`the doctor says ${code}`, async () =>
    (await node.client.doctor()).findings.find((one) => one.code === code),
  );

test("the doctor tells a node without peers, on a branch of its own, with a closed port and with a broken peer", async (t) => {
  const lab = createLab(t);
  const genesisFile = join(await lab.directory(), "genesis.json");
  await writeFile(genesisFile, JSON.stringify(specToJson(testGenesis().spec)));
  const first = await lab.start({ genesisFile });
  const args = ["--announce", "/ip4/127.0.0.1/tcp/1", "--no-history", "--no-timeline"];
  const other = await lab.start({ genesisFile, peers: ["/ip4/127.0.0.1/tcp/9"], args });

  assert.deepEqual(await codesOf(first), ["NO_PEERS"]);
  const alone = await has(other, "NO_PEERS");
  assert.match(alone.summary, /none of 1 configured peer answers; .*\/ip4\/127.0.0.1\/tcp\/9/);
  const codes = await codesOf(other);
  for (const code of ["PORT_CLOSED", "HISTORY_OFF", "TIMELINE_OFF"]) assert.ok(codes.includes(code), code);

  await other.client.addPeer(first.multiaddr);
  await poll("they are connected", async () => (await first.client.status()).peers === 1);
  assert.deepEqual(await codesOf(first), []);
  await has(other, "PEER_UNREACHABLE");

  // An operator sets the better branch aside: the node stands alone, and the doctor says why.
  const { blocks } = await first.client.mining({ mode: "blocks", count: 3 });
  await poll("both have it", async () => (await other.client.status()).head.height === 3);
  await other.client.invalidateBlock(blocks[1] ?? "");
  const why = await has(other, "BETTER_BRANCH_INVALIDATED");
  assert.equal(why.severity, "problem");
  assert.ok(why.advice.endsWith(`cumulo block reconsider ${blocks[2]}`));
  const fork = await has(other, "MINORITY_FORK");
  assert.match(fork.summary, /with work 48 against ours of 16; it left ours after block 1 /);
  await other.client.reconsiderBlock(blocks[2] ?? "");
  assert.ok(!(await codesOf(other)).includes("MINORITY_FORK"));
});
