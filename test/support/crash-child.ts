/**
 * The process that the crash tests kill: opens the chain in a real LevelDB, verifies what it finds, and imports a seeded
 * stream of blocks until somebody ends it. Says what it does on stdout, a line each, at once: `phase NAME` where it goes
 * over to something else, `synced FILE SIZE` after a durable write, `ready HEIGHT REBUILT` after the checks, `ack N` when the
 * N-th block of the stream is durable (all before it too), `broken WHAT`, `done` at the end.
 *
 *     node test/support/crash-child.ts DIRECTORY SEED ACKNOWLEDGED BLOCKS import|reindex|close
 */
import { readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { checkChain, markForReindex } from "../../src/chain/index.ts";
import { createLevelStore } from "../../src/node/adapters/level-store.ts";
import type { KeyValueStore } from "../../src/ports/index.ts";
import type { Block } from "../../src/primitives/index.ts";
import { fromPeer, headStateRoot, openTestChain, replayedRoot } from "./chain-lab.ts";
import { seededStream, streamGenesis } from "./seeded-stream.ts";

const [directory = "", seed = "0", acknowledgedText = "0", blocksText = "0", mode = "import"] =
  process.argv.slice(2);
const acknowledged = Number(acknowledgedText);
const WINDOW = 12;
/** First bytes of keys (docs/protocol.md, "Database"): undo data of the head is read by a reorg, or by a copy. */
const UNDO = "u".charCodeAt(0);
const ACCOUNTS = "i".charCodeAt(0);
/** More than one page of the state tree is over. */
const MANY_ACCOUNTS = 16;
const COPIED = "c".charCodeAt(0);
/** Below the deepest reorg of a stream there is little left: rounds come as often as they can. */
const PRUNE_DEPTH = 8;
const MARKS = ["rebuild", "reindex"];

// Written at once: what the parent reads must have happened before the kill.
const say = (line: string): void => void writeSync(1, `${line}\n`);
let phase = "";
let isReady = false;
let isCopying = false;
let headId: () => string = () => "";
function enter(next: string): void {
  if (phase !== next) say(`phase ${next}`);
  phase = next;
}
function check(ok: boolean, what: string): void {
  if (ok) return;
  say(`broken ${what}`);
  process.exit(1);
}

/** Tells where the log ends that is on the disk for certain. */
function saySynced(): void {
  const logs = readdirSync(directory).filter((name) => /^\d+\.log$/.test(name));
  const newest = logs.sort().at(-1);
  if (newest !== undefined) say(`synced ${newest} ${statSync(join(directory, newest)).size}`);
}

const isMeta = (key: Uint8Array, name: string): boolean => new TextDecoder().decode(key) === `m${name}`;

/** The step of pruning that a batch belongs to, if it is one. */
function pruningStep(writes: Parameters<KeyValueStore["write"]>[0]): string | undefined {
  if (writes.some(({ key, value }) => key[0] === COPIED && value !== undefined)) return "copy of a base";
  if (writes.some(({ key }) => isMeta(key, "base"))) return "switch of the base";
  return writes.some(({ key }) => key[0] === COPIED || isMeta(key, "pruned")) ? "deletion" : undefined;
}

/** The store, which tells while blocks are imported when a reorg begins and when a batch is written. */
function telling(store: KeyValueStore): KeyValueStore {
  return {
    ...store,
    async get(key) {
      const isHeads = key[0] === UNDO && Buffer.from(key).toString("hex", 1) === headId();
      if (isHeads && phase === "import" && !isCopying) enter("reorg");
      return await store.get(key);
    },
    scan(range) {
      // Single pages of the state tree are read all the time.
      const isCopy = range.gte[0] === ACCOUNTS && range.lt.length === 5;
      if (isCopy && new DataView(range.lt.buffer, range.lt.byteOffset).getUint32(1) > MANY_ACCOUNTS)
        isCopying = true;
      return store.scan(range);
    },
    async compact(ranges) {
      await store.compact(ranges);
      isCopying = false;
    },
    async write(writes, options) {
      const step = pruningStep(writes);
      if (step !== undefined && phase !== "shutdown") {
        const before = phase.startsWith("reorg") || phase.startsWith("flush") ? phase : "import";
        enter(step);
        await store.write(writes, options);
        if (options.sync) saySynced();
        if (isReady && phase === step) enter(before);
        return;
      }
      const isImport = phase === "import" || phase === "reorg";
      if (isImport) enter(phase === "reorg" ? "flush of a reorg" : "flush");
      await store.write(writes, options);
      if (isImport && phase.startsWith("flush")) enter("import");
      if (options.sync) saySynced();
    },
  };
}

enter("starting");
const genesis = streamGenesis();
const blocks: Block[] = [];
for (const block of seededStream(Number(seed))) if (blocks.push(block) >= Number(blocksText)) break;

// The smallest buffer LevelDB has: logs and tables change often, so kills hit that too.
const store = telling(await createLevelStore({ directory, writeBufferBytes: 64 * 1024 }));

/** A kill leaves nothing to mend, unless the state is just being made anew or the disk lost something. */
async function checkWhole(when: string): Promise<void> {
  const { findings } = await checkChain(store, genesis);
  check(findings.length === 0, `${when}: ${JSON.stringify(findings)}`);
}
const metaKey = (name: string): Uint8Array => new TextEncoder().encode(`m${name}`);
const [head, ...marks] = await store.getMany(["head", ...MARKS].map(metaKey));
const isWhole = process.env["CRASH_DAMAGED"] === undefined && marks.every((mark) => mark === undefined);
if (head !== undefined && isWhole) await checkWhole("before opening");

if (mode === "reindex" && head !== undefined) await markForReindex(store);
enter(mode === "reindex" ? "reindex" : "opening");
const chain = await openTestChain(genesis, {
  store,
  // Every other stream: the others keep all.
  ...(Number(seed) % 2 === 0 && { pruneDepth: PRUNE_DEPTH }),
});
// What comes now is read beside it.
await chain.prune();
check(chain.head.id === chain.tree.best().id, "the head is not the best known block");
enter("checking");
await checkWhole("after opening");
const [named, replayed] = [await headStateRoot(chain), await replayedRoot(chain, store)];
check(Buffer.from(named).equals(replayed), `state root at height ${chain.head.height}`);
for (const [i, block] of blocks.slice(0, acknowledged).entries()) {
  const known = chain.tree.get(block.header.id);
  if (known !== undefined && known.height <= chain.tree.floor.height) continue;
  // Refused blocks, and what is built on them, may be unknown: their refusal was the answer.
  const found =
    known === undefined || known.status === "invalid" ? undefined : await chain.blocks.block(known.id);
  const results = found === undefined ? await chain.import(block, fromPeer()) : undefined;
  check(found !== undefined || results?.status === "refused", `acknowledged block ${i} is lost`);
}
headId = () => chain.head.id;
isCopying = false;
isReady = true;
enter("import");
say(`ready ${chain.head.height} ${chain.rebuilt}`);

for (let from = acknowledged; from < blocks.length && mode !== "reindex"; from += WINDOW) {
  const part = blocks.slice(from, from + WINDOW);
  const imported = Promise.all(part.map((block) => chain.import(block, fromPeer())));
  if (mode === "close" && from >= acknowledged + WINDOW) {
    // With work under way; what waits is turned away.
    imported.catch(() => {});
    break;
  }
  await imported;
  say(`ack ${Math.min(from + WINDOW, blocks.length)}`);
}
enter("shutdown");
await chain.close();
say(mode === "import" ? "done" : "ended");
