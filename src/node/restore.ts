import { createReadStream } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  BackupError,
  type BackupHeader,
  type BackupPart,
  checkBackupHeader,
  checkRestored,
  decodeBackup,
  judgeRestored,
  type LeftOut,
} from "../chain/index.ts";
import {
  createWhole,
  fileProblem,
  makePrivateDirectory,
  readBounded,
  removeDirectories,
} from "../files/index.ts";
import { createGenesis } from "../ledger/index.ts";
import { type KeyValueStore, StoreError, type Write } from "../ports/index.ts";
import { MAX_GENESIS_BYTES, parseGenesis } from "../primitives/index.ts";
import { createLevelStore } from "./adapters/level-store.ts";
import { GENESIS_FILE, KEYS_FOLDER, NETWORK_KEY_FILE } from "./backup.ts";
import { RESTORED_FOLDER, RESTORING_FOLDER } from "./data-directory.ts";
import { withVerifier } from "./offline.ts";
import { NodeError } from "./options.ts";

/** Files that a backup may hold. Anything else is refused: it could be put anywhere. */
const FILE_NAMES = new RegExp(
  `^(${GENESIS_FILE}|${NETWORK_KEY_FILE}|${KEYS_FOLDER}/[A-Za-z0-9._-]{1,80}\\.json)$`,
);
/** In the order in which they get their places: what makes the directory a node's comes last. */
const PLACES = [KEYS_FOLDER, NETWORK_KEY_FILE, GENESIS_FILE, "chain"];
const HEADER_FILE = "backup.json";
const MAX_HEADER_BYTES = 64 * 1024;
/** Files in a backup, each of which takes memory until it ends: far more keys than anybody has in one node. */
const MAX_FILES = 10_000;
const READ_BYTES = 1024 * 1024;

export interface RestoreOptions {
  readonly file: string;
  /** Empty, or not there yet. */
  readonly dataDir: string;
  /**
   * Believes all that is in it, as it is: for a backup of one's own. Otherwise every block in it is judged, those of side
   * branches by the rules that need no state, and what cannot be judged is left out.
   */
  readonly trusted: boolean;
  /** Takes the key files in it, and the name among peers: whoever made the backup has them too. */
  readonly withKeys: boolean;
  readonly signal: AbortSignal;
  /** Bytes of the file read so far, and all of them. */
  readonly onProgress?: (bytes: number, of: number) => void;
  /** Blocks of the best chain judged so far, and all of them. */
  readonly onJudged?: (blocks: number, of: number) => void;
}

export interface RestoreResult {
  readonly chain: string;
  readonly network: string;
  readonly head: BackupHeader["head"];
  /** Lowest height from which on it has blocks; 0 unless some were pruned. */
  readonly firstHeight: number;
  readonly rows: number;
  readonly keys: number;
  /** It had the node's name among peers with it. */
  readonly identity: boolean;
  /** Whether every block in it was judged, and what was left out as it cannot be. */
  readonly judged: boolean;
  readonly leftOut: LeftOut & {
    /** Key files, and whether there was a name among peers: see `withKeys`. */
    readonly keys: number;
    readonly identity: boolean;
  };
}

/** What became of a backup's parts. */
type Filled = Omit<RestoreResult, "chain" | "network" | "head" | "firstHeight">;

const NOTHING: LeftOut = { reorgs: 0, marks: 0 };
/** Of a restore that was interrupted in its last step nobody knows more than that it is whole. */
const UNKNOWN: Filled = {
  rows: 0,
  keys: 0,
  identity: false,
  judged: false,
  leftOut: { ...NOTHING, keys: 0, identity: false },
};

const refused = (message: string, cause?: unknown): NodeError =>
  new NodeError("NODE_RESTORE_REFUSED", message, { cause });

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw refused(`cannot use ${directory}: ${fileProblem(error)}; choose another --data DIR`, error);
  });
}

/** Removes what an interrupted restore left, unless it is still going on. */
async function clearUnfinished(dataDir: string): Promise<void> {
  const folder = join(dataDir, RESTORING_FOLDER);
  try {
    await (await createLevelStore({ directory: join(folder, "chain") })).close();
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_LOCKED")
      throw refused(`another restore into ${dataDir} is going on; let it end`, error);
  }
  await rm(folder, { recursive: true, force: true });
}

/** Gives everything its place; where that was interrupted, what is left goes on. */
async function moveIn(dataDir: string): Promise<void> {
  const folder = join(dataDir, RESTORED_FOLDER);
  const left = await namesIn(folder);
  for (const name of PLACES) if (left.includes(name)) await rename(join(folder, name), join(dataDir, name));
  await rm(join(folder, HEADER_FILE), { force: true });
  await rmdir(folder);
}

/** What an interrupted restore goes on by: the same backup, treated the same way. */
const noteOf = (
  header: BackupHeader,
  { trusted, withKeys }: Pick<RestoreOptions, "trusted" | "withKeys">,
): string => JSON.stringify({ ...header, trusted, withKeys });

const countKeys = (names: ReadonlySet<string>): { readonly keys: number; readonly identity: boolean } => ({
  keys: [...names].filter((name) => name.includes("/")).length,
  identity: names.has(NETWORK_KEY_FILE),
});

/**
 * What was done already where the directory holds this very backup but for its last moves; `undefined` where it is empty.
 * Refuses any other.
 */
async function filledBefore(dataDir: string, note: string): Promise<Filled | undefined> {
  const names = await namesIn(dataDir);
  if (names.includes(RESTORED_FOLDER)) {
    const text = await readBounded(join(dataDir, RESTORED_FOLDER, HEADER_FILE), MAX_HEADER_BYTES).catch(
      () => "",
    );
    // Without its header all but the last step was done.
    if (text === "" && ["chain", GENESIS_FILE].every((name) => names.includes(name))) return UNKNOWN;
    const [head, filled] = text.split("\n");
    if (head === note) return filled === undefined ? UNKNOWN : (JSON.parse(filled) as Filled);
    throw refused(
      `${dataDir} holds an unfinished restore of another backup, or one with other options; run it again as it was, or choose another --data DIR`,
    );
  }
  const others = names.filter((name) => name !== RESTORING_FOLDER);
  if (others.length > 0)
    throw refused(
      `${dataDir} is not empty (it has ${others.slice(0, 3).join(", ")}); a backup is restored into a new directory: choose another --data DIR`,
    );
  if (names.length > 0) await clearUnfinished(dataDir);
  return undefined;
}

async function writeRows(store: KeyValueStore, rows: readonly Write[]): Promise<number> {
  await store.write(rows, { sync: true });
  return rows.length;
}

/** Fills a folder from the parts of a backup and checks that they fit together. */
async function fill(
  folder: string,
  parts: AsyncIterable<BackupPart>,
  header: BackupHeader,
  { trusted, withKeys, signal, onJudged }: RestoreOptions,
): Promise<Filled> {
  const store = await createLevelStore({ directory: join(folder, "chain") });
  const files = new Set<string>();
  const kept = new Set<string>();
  const unwanted = new Set<string>();
  let rows = 0;
  let leftOut = NOTHING;
  let genesisText = "";
  try {
    for await (const part of parts) {
      signal.throwIfAborted();
      if (part.kind === "rows") rows += await writeRows(store, part.rows);
      if (part.kind !== "file") continue;
      if (!FILE_NAMES.test(part.name) || files.has(part.name) || files.size >= MAX_FILES)
        throw new BackupError(
          "BACKUP_DAMAGED",
          "the backup holds a file that none may hold; use another one",
        );
      files.add(part.name);
      if (part.name === GENESIS_FILE && part.content.length <= MAX_GENESIS_BYTES)
        genesisText = new TextDecoder().decode(part.content);
      if (part.name !== GENESIS_FILE && !withKeys) {
        unwanted.add(part.name);
        continue;
      }
      if (part.name.includes("/")) await makePrivateDirectory(join(folder, dirname(part.name)));
      await createWhole(join(folder, part.name), part.content);
      kept.add(part.name);
    }
    const genesis = parseGenesis(genesisText);
    if (!genesis.ok)
      throw new BackupError(
        "BACKUP_DAMAGED",
        "the backup has no genesis.json that can be used; use another one",
      );
    const ours = createGenesis(genesis.spec);
    await checkRestored(store, ours, header);
    if (!trusted)
      leftOut = await withVerifier((signatures) =>
        judgeRestored(store, ours, header, {
          signatures,
          nowMs: Date.now(),
          signal,
          ...(onJudged && { onProgress: onJudged }),
        }),
      );
  } finally {
    await store.close();
  }
  const filled: Filled = {
    rows,
    ...countKeys(kept),
    judged: !trusted,
    leftOut: { ...leftOut, ...countKeys(unwanted) },
  };
  const note = noteOf(header, { trusted, withKeys });
  await createWhole(join(folder, HEADER_FILE), `${note}\n${JSON.stringify(filled)}`);
  return filled;
}

/** The bytes of a file, told as they are read. */
async function* bytesOf({ file, onProgress }: RestoreOptions): AsyncGenerator<Uint8Array> {
  let read = 0;
  try {
    const { size } = await stat(file);
    for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES })) {
      read += (chunk as Uint8Array).length;
      onProgress?.(read, size);
      yield chunk as Uint8Array;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw refused(`cannot read the backup ${file}: ${fileProblem(error)}`, error);
  }
}

/**
 * Makes a node's directory from a backup. Until it is whole and checked nothing of it looks like a node's; interrupted at
 * any point, the next call starts it anew, or ends it. Fails with a typed error, and then leaves an empty directory empty.
 */
export async function restoreData(options: RestoreOptions): Promise<RestoreResult> {
  const dataDir = resolve(options.dataDir);
  const parts = decodeBackup(bytesOf(options));
  try {
    const first = await parts.next();
    if (first.done === true || first.value.kind !== "header")
      throw new Error("a backup begins with its header");
    const { header } = first.value;
    checkBackupHeader(header);
    const { chain, network, head, firstHeight } = header;
    const before = await filledBefore(dataDir, noteOf(header, options));
    if (before !== undefined) {
      await moveIn(dataDir);
      return { chain, network, head, firstHeight, ...before };
    }
    const made = await makePrivateDirectory(dataDir).catch((error: unknown) => {
      throw refused(
        `cannot make ${dataDir}: ${fileProblem(error, "none can be made there")}; choose another --data DIR`,
        error,
      );
    });
    const folder = join(dataDir, RESTORING_FOLDER);
    // Not where it is there: another restore has begun meanwhile.
    await mkdir(folder, { mode: 0o700 }).catch(async (error: unknown) => {
      await removeDirectories(made);
      throw refused(`cannot make ${folder}: ${fileProblem(error)}; choose another --data DIR`, error);
    });
    try {
      const filled = await fill(folder, parts, header, options);
      await rename(folder, join(dataDir, RESTORED_FOLDER));
      await moveIn(dataDir);
      return { chain, network, head, firstHeight, ...filled };
    } catch (error) {
      await rm(folder, { recursive: true, force: true }).catch(() => {});
      await removeDirectories(made);
      if (error instanceof StoreError || (error as NodeJS.ErrnoException).syscall !== undefined)
        throw refused(
          `cannot write into ${dataDir}: ${fileProblem(error)}; see that there is room and that this user may write there, or choose another --data DIR`,
          error,
        );
      throw error;
    }
  } finally {
    await parts.return(undefined);
  }
}
