/**
 * What happens to nodes with and without --mdns on one local network; to be run in a network namespace of its own, so that
 * nothing is multicast anywhere else. Prints what it saw as JSON.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createLab, type Daemon, poll } from "./daemon.ts";
import { lieOnLocalNetwork } from "./forged-mdns.ts";

const address = process.argv[2] ?? "";
const lab = createLab();
const peersOf = async ({ client }: Daemon): Promise<string[]> =>
  (await client.peers()).items.flatMap(({ state, peer }) => (state === "connected" ? [peer ?? ""] : []));
const args = ["--exchange", "on", "--listen", `/ip4/${address}/tcp/0`];
/** As the node has written it down. */
async function knownOf({ dataDir }: Daemon) {
  const { peers } = JSON.parse(await readFile(join(dataDir, "peers.json"), "utf8"));
  return peers as readonly { readonly source: string; readonly addresses: readonly { address: string }[] }[];
}

try {
  const otherDir = await lab.directory();
  const genesisFile = join(otherDir, "other.json");
  await writeFile(genesisFile, JSON.stringify({ name: "other" }));
  const quiet = await lab.start({ args });
  const stranger = await lab.start({ args: [...args, "--mdns"], genesisFile });
  const first = await lab.start({ args: [...args, "--mdns"], logLevel: "debug" });
  const second = await lab.start({ args: [...args, "--mdns"] });
  await poll("they have met", async () => (await peersOf(first)).includes(second.peer), 60_000);
  const met = { first: await peersOf(first), second: await peersOf(second) };
  const names = { quiet, stranger, first, second };
  const heads = await first.client.mining({ mode: "blocks", count: 1 });
  await poll("a block goes over", async () => (await second.client.status()).head.id === heads.blocks[0]);
  const { chain } = await first.client.status();
  await lieOnLocalNetwork(address, `_cumulo-${chain.slice(0, 8)}._udp.local`, 200);
  await poll("the lies are heard", () => first.logged("a known peer could not be dialled").length > 0);
  const ended = await first.end("SIGTERM");
  const known = await knownOf(first);
  const left = { quiet: await peersOf(quiet), stranger: await peersOf(stranger) };
  process.stdout.write(
    JSON.stringify({
      met,
      left,
      ended,
      known: known.flatMap(({ source, addresses }) => addresses.map(({ address: at }) => `${source} ${at}`)),
      warnings: first.logged().filter(({ level }) => Number(level) >= 40),
      names: Object.fromEntries(Object.entries(names).map(([name, { peer }]) => [name, peer])),
    }),
  );
} finally {
  await lab.close();
}
