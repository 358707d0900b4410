/**
 * Makes a fork in a cluster of two nodes, waits until it is resolved, and tells what became of the transactions in it.
 *
 *   cumulo cluster up --nodes 2
 *   node docs/examples/fork.ts .cumulo-cluster
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ApiError, type Client, createClient } from "cumulo/client";

const [directory = ".cumulo-cluster"] = process.argv.slice(2);
const { url, tokenFile } = JSON.parse(readFileSync(join(directory, "cluster.json"), "utf8"));
const token = readFileSync(tokenFile, "utf8").trim();
// The supervisor passes on what is asked of its nodes, so one address and one token are enough for all of them.
const node = (n: number): Client => createClient({ url: `${url}/nodes/${n}`, token, retryForMs: 10_000 });

const [one, two] = [node(1), node(2)];
const peers = { one: (await one.status()).node.peer, two: (await two.status()).node.peer };

// The end of this ends the streams, too; whoever waits for something says how long.
const done = new AbortController();
const deadline = AbortSignal.any([done.signal, AbortSignal.timeout(60_000)]);

async function tellHeads(name: string, client: Client): Promise<void> {
  for await (const event of client.events(done.signal, { kinds: ["head"] }))
    if (event.type === "head") console.log(`${name}: head ${event.data.height} ${event.data.id.slice(0, 8)}`);
}
const told = Promise.all([tellHeads("node 1", one), tellHeads("node 2", two)]);

// From here on what happens on node 1 is heard.
const connected = Promise.withResolvers<void>();
const reorgs = one.events(deadline, { kinds: ["reorg"], onConnected: connected.resolve });
const first = reorgs.next();
await connected.promise;

// Apart: each mines on its own, and the second one more than the first.
await one.refuseLink(peers.two, { forMs: 60_000 });
await two.refuseLink(peers.one, { forMs: 60_000 });
await one.mining({ mode: "blocks", count: 1 });
await two.mining({ mode: "blocks", count: 2 });
await one.healLink(peers.two);
await two.healLink(peers.one);

const { value: event } = await first;
if (event?.type !== "reorg") throw new Error("no reorg within a minute");
const { depth, forkPoint, transactions } = event.data;
console.log(`reorg on node 1: ${depth} block(s) given up since height ${forkPoint.height}`);
for (const { id, fate } of transactions) console.log(`transaction ${id.slice(0, 8)}: ${fate}`);

// Every failure has a code, and says what to do.
const error = await createClient({ url: one.url })
  .mining({ mode: "off" })
  .catch((reason) => reason);
if (error instanceof ApiError) console.log(`without the token: ${error.code}`);
done.abort();
await told;
