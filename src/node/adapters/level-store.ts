import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import {
  type KeyRange,
  type KeyValueStore,
  StoreError,
  type StoreErrorCode,
  type Write,
} from "../../ports/index.ts";

const DEFAULT_WRITE_BUFFER_BYTES = 4 * 1024 * 1024;
const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024;
/** Entries fetched per trip to the native side while scanning. */
const SCAN_PAGE_ENTRIES = 1_000;
/** A page ends earlier when it holds so many bytes, or a scan of full blocks would hold a thousand of them. */
const SCAN_PAGE_BYTES = 1024 * 1024;

export interface LevelStoreOptions {
  /** Created when missing, with its parents. One process, one store at a time. */
  readonly directory: string;
  /** LevelDB's write buffer. Default 4 MiB. */
  readonly writeBufferBytes?: number;
  /** Uncompressed blocks kept in memory. Default 64 MiB. */
  readonly cacheBytes?: number;
}

/** `level` is classic-level where Node runs it; its types are those of what browsers have too. */
type Database = Level<Uint8Array, Uint8Array> & {
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>;
};

/** Below every key there is. Compacting nothing but this still moves LevelDB's log into a table. */
const NO_KEY = new Uint8Array(1);

/** Opens the key-value store of a directory. Fails with a `StoreError`: `STORE_LOCKED` when somebody has it open. */
export async function createLevelStore(options: LevelStoreOptions): Promise<KeyValueStore> {
  // Before the database object is made, which begins to open by itself.
  if (await hasLostCurrent(options.directory))
    throw new StoreError("STORE_CORRUPT", "the store failed: there are tables or logs, and no file CURRENT");
  const writeBufferBytes = options.writeBufferBytes ?? DEFAULT_WRITE_BUFFER_BYTES;
  const db = new Level<Uint8Array, Uint8Array>(options.directory, {
    keyEncoding: "view",
    valueEncoding: "view",
    writeBufferSize: writeBufferBytes,
    cacheSize: options.cacheBytes ?? DEFAULT_CACHE_BYTES,
  }) as Database;
  await typed(db.open()).catch((error: StoreError) => {
    // CURRENT names a file that is not there.
    const isPartMissing = error.code === "STORE_IO" && /no such file/i.test(error.message);
    throw isPartMissing ? new StoreError("STORE_CORRUPT", error.message, { cause: error }) : error;
  });
  return {
    writeBufferBytes,
    get: (key) => typed(db.get(key).then(plain)),
    getMany: (keys) => typed(db.getMany([...keys]).then((values) => values.map(plain))),
    write: (writes, { sync }) => typed(write(db, writes, sync)),
    async compact(ranges) {
      await typed(db.compactRange(NO_KEY, NO_KEY));
      for (const { gte, lt } of ranges) await typed(db.compactRange(gte, lt));
    },
    scan: (range) => scan(db, range),
    close: () => typed(db.close()),
  };
}

/**
 * Whether the file that names all others is gone from a store with content. LevelDB would begin a new store in its place
 * and delete the tables. One that was never opened whole has neither tables nor a log.
 */
async function hasLostCurrent(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch((): string[] => []);
  if (names.includes("CURRENT")) return false;
  if (names.some((name) => /^\d+\.(ldb|sst)$/.test(name))) return true;
  for (const name of names.filter((name) => /^\d+\.log$/.test(name)))
    if ((await stat(join(directory, name))).size > 0) return true;
  return false;
}

/**
 * classic-level hands out Buffers, also with the encoding "view". A Buffer's slice() shares memory where users of the
 * port expect a copy, so they get the same bytes as a plain array. LevelDB gave each its own memory.
 */
function plain<T extends Uint8Array | undefined>(bytes: T): T | Uint8Array {
  return bytes === undefined ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function write(db: Database, writes: readonly Write[], sync: boolean): Promise<void> {
  // The chained form is several times as fast as the array form for large batches.
  const batch = db.batch();
  try {
    for (const { key, value } of writes) {
      if (value === undefined) batch.del(key);
      else batch.put(key, value);
    }
  } catch (error) {
    await batch.close();
    throw error;
  }
  await batch.write({ sync });
}

async function* scan(db: Database, { gte, lt, reverse = false, limit = -1 }: KeyRange) {
  if (db.status !== "open") throw new StoreError("STORE_CLOSED", "the store is closed");
  const iterator = db.iterator({ gte, lt, reverse, limit, highWaterMarkBytes: SCAN_PAGE_BYTES });
  try {
    for (;;) {
      const page = await typed(iterator.nextv(SCAN_PAGE_ENTRIES));
      if (page.length === 0) return;
      for (const [key, value] of page) yield [plain(key), plain(value)] as const;
    }
  } finally {
    await iterator.close();
  }
}

async function typed<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw storeError(error);
  }
}

function storeError(error: unknown): StoreError {
  // On opening, abstract-level wraps what LevelDB said.
  const codes: unknown[] = [];
  let text = "";
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    codes.push("code" in cause ? cause.code : undefined);
    text = cause.message;
  }
  return new StoreError(storeErrorCode(codes, text), `the store failed: ${text}`, { cause: error });
}

function storeErrorCode(codes: readonly unknown[], text: string): StoreErrorCode {
  if (codes.includes("LEVEL_LOCKED")) return "STORE_LOCKED";
  if (codes.includes("LEVEL_CORRUPTION")) return "STORE_CORRUPT";
  // LevelDB keeps only strerror's text.
  if (/no space left|disk quota/i.test(text)) return "STORE_FULL";
  if (codes.includes("LEVEL_IO_ERROR")) return "STORE_IO";
  const closed = ["LEVEL_DATABASE_NOT_OPEN", "LEVEL_ITERATOR_NOT_OPEN", "LEVEL_BATCH_NOT_OPEN"];
  return codes.length === 1 && closed.includes(String(codes[0])) ? "STORE_CLOSED" : "STORE_IO";
}
