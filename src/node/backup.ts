import { access, readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type NodeService, ServiceError } from "../api/index.ts";
import {
  type BackupHeader,
  type BackupPart,
  type Chain,
  decodeBackup,
  encodeBackup,
  snapshotChain,
} from "../chain/index.ts";
import { createWhole, fileProblem, readBytes } from "../files/index.ts";
import { createGenesis, type Genesis } from "../ledger/index.ts";
import { specToJson } from "../primitives/index.ts";
import { openStoredChain } from "./data-directory.ts";
import { NodeError } from "./options.ts";

/** A secret of the node: a key file has a few hundred bytes. */
const MAX_SECRET_FILE_BYTES = 64 * 1024;
export const GENESIS_FILE = "genesis.json";
export const NETWORK_KEY_FILE = "network-key";
export const KEYS_FOLDER = "keys";

export interface BackupOptions {
  readonly dataDir: string;
  /** A file that does not exist yet, or a directory to put one into. */
  readonly output: string;
  /** With the node's key files, as they are, and its name among peers; never with its API token. */
  readonly withKeys: boolean;
  /** Where a running node has the directory: the backup as it gives it. */
  readonly fromNode: (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
  readonly signal: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
}

export interface BackupResult {
  readonly file: string;
  readonly sizeBytes: number;
  readonly chain: string;
  readonly network: string;
  readonly head: BackupHeader["head"];
  /** Lowest height from which on it has blocks; 0 unless the node pruned some. */
  readonly firstHeight: number;
  /** Names of the key files in it. */
  readonly keys: readonly string[];
  /** Whether a running node gave it. */
  readonly online: boolean;
}

/** genesis.json of a backup. */
const genesisPart = ({ spec }: Genesis): BackupPart => ({
  kind: "file",
  name: GENESIS_FILE,
  content: new TextEncoder().encode(`${JSON.stringify(specToJson(spec), undefined, 2)}\n`),
});

/** What a running node gives: its chain as it is now, and the genesis file. */
export async function* chainBackup(
  rows: AsyncIterable<BackupPart>,
  genesis: Genesis,
): AsyncGenerator<BackupPart> {
  yield* rows;
  yield genesisPart(genesis);
}

/** What the API gives: one backup at a time, since each keeps old data on the disk until it is read. */
export function createBackups(chain: Pick<Chain, "snapshot" | "genesis">): Pick<NodeService, "backup"> {
  let isRunning = false;
  return {
    async backup() {
      if (isRunning) {
        const message = "another backup of this node is being made; let it end, or end it";
        throw new ServiceError("BACKUP_RUNNING", 409, message);
      }
      isRunning = true;
      async function* bytes(): AsyncGenerator<Uint8Array> {
        try {
          yield* encodeBackup(chainBackup(await chain.snapshot(), chain.genesis));
        } finally {
          isRunning = false;
        }
      }
      const all = bytes();
      // Begun here, so that ending it ends it: a generator that was never asked for anything knows of no end.
      const first = await all.next();
      let asked = false;
      const stream: AsyncIterableIterator<Uint8Array> = {
        async next() {
          if (asked) return await all.next();
          asked = true;
          return first;
        },
        return: () => all.return(undefined),
        [Symbol.asyncIterator]: () => stream,
      };
      return stream;
    },
  };
}

/** The node's secrets, in the order of their names. */
async function* secretParts(dataDir: string): AsyncGenerator<BackupPart> {
  const keyNames = await readdir(join(dataDir, KEYS_FOLDER)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const names = keyNames.filter((name) => name.endsWith(".json")).map((name) => `${KEYS_FOLDER}/${name}`);
  for (const name of [...names.sort(), NETWORK_KEY_FILE]) {
    const content = await readBytes(join(dataDir, name), MAX_SECRET_FILE_BYTES).catch((error: unknown) => {
      // A directory in which a node was never started has no name among peers.
      if (name === NETWORK_KEY_FILE && (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      const message = `cannot read ${join(dataDir, name)}: ${fileProblem(error)}; without it this would be no backup of the keys`;
      throw new NodeError("NODE_BACKUP_FAILED", message, { cause: error });
    });
    if (content !== undefined) yield { kind: "file", name, content };
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The file to write: a directory gets one that is named after what is in it. */
async function fileFor(output: string, { network, head, createdMs }: BackupHeader): Promise<string> {
  const isDirectory = await stat(output).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) return output;
  const time = new Date(createdMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  return join(output, `cumulo-${network}-${head.height}-${time}.backup`);
}

const taken = (file: string): NodeError =>
  new NodeError(
    "NODE_BACKUP_FAILED",
    `${file} exists; choose another name for the backup, or remove it first`,
  );

interface Source {
  readonly parts: AsyncGenerator<BackupPart>;
  readonly online: boolean;
  close(): Promise<void>;
}

async function openSource({ dataDir, fromNode, signal }: BackupOptions): Promise<Source> {
  let opened: Awaited<ReturnType<typeof openStoredChain>>;
  try {
    opened = await openStoredChain(dataDir);
  } catch (error) {
    if (!(error instanceof NodeError && error.code === "NODE_DATA_LOCKED")) throw error;
    return { parts: decodeBackup(await fromNode(signal)), online: true, close: async () => {} };
  }
  const { store, spec } = opened;
  try {
    const genesis = createGenesis(spec);
    const parts = chainBackup(await snapshotChain(store, genesis, Date.now()), genesis);
    return { parts, online: false, close: () => store.close() };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Writes a backup of a node's chain: of a stopped one under its lock, of a running one through its API. The file appears
 * whole or not at all. Fails with a typed error.
 */
export async function backupData(options: BackupOptions): Promise<BackupResult> {
  const { dataDir, output, withKeys, signal, onProgress } = options;
  const source = await openSource(options);
  const keyNames: string[] = [];
  let sizeBytes = 0;
  try {
    const first = await source.parts.next();
    if (first.done === true || first.value.kind !== "header")
      throw new Error("a backup begins with its header");
    const { header } = first.value;
    const file = await fileFor(output, header);
    if (await exists(file)) throw taken(file);
    async function* parts(): AsyncGenerator<BackupPart> {
      yield { kind: "header", header };
      yield* source.parts;
      if (!withKeys) return;
      for await (const part of secretParts(dataDir)) {
        if (part.kind === "file" && part.name !== NETWORK_KEY_FILE)
          keyNames.push(basename(part.name, ".json"));
        yield part;
      }
    }
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const bytes of encodeBackup(parts())) {
        signal.throwIfAborted();
        sizeBytes += bytes.length;
        onProgress?.(sizeBytes);
        yield bytes;
      }
    }
    await createWhole(file, counted()).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw taken(file);
      if (error.syscall === undefined) throw error;
      const why = fileProblem(error, "its directory does not exist");
      throw new NodeError(
        "NODE_BACKUP_FAILED",
        `cannot write the backup ${file}: ${why}; choose another place with -o`,
        {
          cause: error,
        },
      );
    });
    const { chain, network, head, firstHeight } = header;
    return { file, sizeBytes, chain, network, head, firstHeight, keys: keyNames, online: source.online };
  } finally {
    await source.parts.return(undefined);
    await source.close();
  }
}
