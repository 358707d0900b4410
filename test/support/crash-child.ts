/**
 * The process that test/integration/crash.test.ts kills: opens the chain in a real LevelDB, verifies what it finds, and
 * imports a seeded stream of blocks until somebody ends it. Says on stdout, a line each: `ready <height> <rebuilt>` after
 * the checks, `ack <n>` when the n-th block of the stream is durable (all before it too), `done` at the end.
 *
 *     node test/support/crash-child.ts DIRECTORY SEED ACKNOWLEDGED BLOCKS
 */
import { writeSync } from "node:fs";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import type { Block } from "../../src/primitives/index.ts";
import { fromPeer, headStateRoot, openTestChain, replayedRoot } from "./chain-lab.ts";
import { seededStream, streamGenesis } from "./seeded-stream.ts";

const [directory = "", seed = "0", acknowledgedText = "0", blocksText = "0"] = process.argv.slice(2);
const acknowledged = Number(acknowledgedText);
const WINDOW = 12;

// Written at once: what the parent reads must have happened before the kill.
const say = (line: string): void => void writeSync(1, `${line}\n`);
function check(ok: boolean, what: string): void {
  if (ok) return;
  say(`broken ${what}`);
  process.exit(1);
}

const blocks: Block[] = [];
for (const block of seededStream(Number(seed))) {
  if (blocks.push(block) >= Number(blocksText)) break;
}
const genesis = streamGenesis();
// The smallest buffer LevelDB has: logs and tables change often, so kills hit that too.
const chain = await openTestChain(genesis, {
  store: await createLevelStore({ directory, writeBufferBytes: 64 * 1024 }),
});

check(chain.head.id === chain.tree.best().id, "the head is not the best known block");
const [named, replayed] = [await headStateRoot(chain), await replayedRoot(chain)];
check(Buffer.from(named).equals(replayed), `state root at height ${chain.head.height}`);
for (const [i, block] of blocks.slice(0, acknowledged).entries()) {
  const known = chain.tree.get(block.header.id);
  // Refused blocks, and what is built on them, may be unknown: their refusal was the answer.
  const found =
    known === undefined || known.status === "invalid" ? undefined : await chain.blocks.block(known.id);
  const results = found === undefined ? await chain.import(block, fromPeer()) : undefined;
  check(found !== undefined || results?.status === "refused", `acknowledged block ${i} is lost`);
}
say(`ready ${chain.head.height} ${chain.rebuilt !== undefined}`);

for (let from = acknowledged; from < blocks.length; from += WINDOW) {
  const part = blocks.slice(from, from + WINDOW);
  await Promise.all(part.map((block) => chain.import(block, fromPeer())));
  say(`ack ${from + part.length}`);
}
await chain.close();
say("done");
