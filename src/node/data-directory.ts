import { access, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import {
  createWhole,
  fileProblem,
  makePrivateDirectory,
  readBounded,
  removeDirectories,
  removeUnfinished,
  replaceWhole,
} from "../files/index.ts";
import { createKeyStore, KeyError } from "../keys/index.ts";
import { type KeyValueStore, type Random, StoreError } from "../ports/index.ts";
import {
  bytesToHex,
  type ChainSpec,
  devnetSpec,
  equalBytes,
  hexToBytes,
  MAX_GENESIS_BYTES,
  parseGenesis,
  specRoot,
  specToJson,
} from "../primitives/index.ts";
import { createLevelStore } from "./adapters/level-store.ts";
import { NodeError, type NodeOptions } from "./options.ts";

/** What others find of a running node in its directory. */
export interface NodeFile {
  readonly pid: number;
  /** When that process started, so that another one with its number is not taken for it; where this can be told. */
  readonly started?: string;
  readonly api: string;
  readonly multiaddrs: readonly string[];
}

/**
 * The files of one node: its chain, its keys, genesis.json, two secrets, and node.json while it runs. The store of the
 * chain is open, and by its lock the whole directory is this process's until `close` or `abandon`.
 */
export interface DataDirectory {
  readonly path: string;
  /** Closed by `close` and `abandon` only; whoever else closes it changes nothing. */
  readonly store: KeyValueStore;
  /** The chain's folder was there before this start. */
  readonly hadChain: boolean;
  /** The bearer token that changing requests need. */
  readonly token: string;
  /** Seed of the transport key, which is the node's name among peers. */
  readonly networkSeed: Uint8Array;
  /** The node's own key for rewards, made at the first start. */
  rewardKey(): Promise<Uint8Array>;
  /** Writes genesis.json where there is none yet; call once the chain is open, and with it known to be of this network. */
  keepGenesis(): Promise<void>;
  /** Where pending transactions wait for the next start. */
  readonly poolFile: string;
  /** Opens the store of the history index, which its user closes. `anew`: without what it held. */
  openHistory(options: { readonly anew: boolean }): Promise<KeyValueStore>;
  /** The same for the store of the timeline. */
  openTimeline(options: { readonly anew: boolean }): Promise<KeyValueStore>;
  /** Where known peers and bans are kept. */
  readonly peersFile: string;
  writeNodeFile(file: NodeFile): Promise<void>;
  removeNodeFile(): Promise<void>;
  close(): Promise<void>;
  /** For a start that failed: removes exactly what it made, then closes. */
  abandon(): Promise<void>;
}

/** Folders of a restore on its way, and of one that is whole and waits for its place: no node starts beside them. */
export const RESTORING_FOLDER = "restoring";
export const RESTORED_FOLDER = "restored";

const DIRECTORY_ADVICE = "choose another --data directory, or see that this user may write there";
const SECRET_BYTES = 32;
/** Histories and timelines are read now and then, and a page is one range. */
const BESIDE_CACHE_BYTES = 8 * 1024 * 1024;
/** Far more than its 64 hex digits and a line's end. */
const MAX_SECRET_FILE_BYTES = 1024;
const genesisFileOf = (dataDir: string): string => join(dataDir, "genesis.json");
const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
/** ENOTDIR: a file stands where its directory should be, which whoever writes there will be told. */
const isMissing = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");

/** A file with a secret of 32 bytes in hex. */
interface SecretFile {
  readonly path: string;
  /** What the user calls it, and what to do when it cannot be used. */
  readonly what: string;
  readonly advice: string;
  /** An empty one is made anew: a crash of an earlier version could leave it so before anybody had read it. */
  readonly mayBeEmpty: boolean;
}

const unusable = (message: string, cause: unknown): NodeError =>
  new NodeError("NODE_DATA_UNUSABLE", message, { cause });

/** Why a file cannot be written, and what to do: `otherwise`, unless all it wants is room. */
function writeProblem(error: unknown, otherwise: string, missing?: string): string {
  const isFull = ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
  return `${fileProblem(error, missing)}; ${isFull ? "make room and start again" : otherwise}`;
}

/** The secret; undefined where one is to be made. */
async function readSecret({ path, what, advice, mayBeEmpty }: SecretFile): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readBounded(path, MAX_SECRET_FILE_BYTES)).trim();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unusable(`cannot read ${what} ${path}: ${fileProblem(error)}; ${advice}`, error);
  }
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  if (text === "" && mayBeEmpty) return undefined;
  throw unusable(`${what} ${path} does not hold 64 hex digits; ${advice}`, undefined);
}

/** Makes a secret, on the disk before anyone relies on it. */
async function makeSecret({ path, what, advice, mayBeEmpty }: SecretFile, random: Random): Promise<string> {
  const secret = bytesToHex(random.bytes(SECRET_BYTES));
  try {
    await (mayBeEmpty ? replaceWhole : createWhole)(path, `${secret}\n`);
  } catch (error) {
    const problem = writeProblem(error, advice, "its directory does not exist");
    throw unusable(`cannot write ${what} ${path}: ${problem}`, error);
  }
  return secret;
}

function tokenFile({ tokenFile: given, dataDir }: NodeOptions): SecretFile {
  if (given === undefined) {
    const advice = "remove it to have a new one made";
    return { path: join(dataDir, "api-token"), what: "the API token", advice, mayBeEmpty: true };
  }
  const advice =
    "choose another --token-file FILE, with 64 hex digits or not there yet, in a directory that exists";
  return { path: given, what: "the token file", advice, mayBeEmpty: false };
}

function networkKeyFile({ dataDir }: NodeOptions): SecretFile {
  const advice = "restore it from a backup, or remove it: a new one gives this node another name among peers";
  return { path: join(dataDir, "network-key"), what: "the network key", advice, mayBeEmpty: false };
}

/** The spec a genesis file holds; `undefined` where there is no such file. */
async function readSpec(path: string): Promise<ChainSpec | undefined> {
  let text: string;
  try {
    text = await readBounded(path, MAX_GENESIS_BYTES);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new NodeError("NODE_GENESIS_UNREADABLE", `cannot read ${path}: ${fileProblem(error)}`, {
      cause: error,
    });
  }
  const parsed = parseGenesis(text);
  if (!parsed.ok) throw new NodeError("NODE_GENESIS_INVALID", `${path}: ${parsed.problem}`);
  return parsed.spec;
}

/** The network that a node is to run, found without writing anything. */
export interface ChosenNetwork {
  readonly spec: ChainSpec;
  /** Whether the directory has its genesis.json already. */
  readonly isKept: boolean;
}

/** The network to run. A directory belongs to one for good: it may hold the only copy of its genesis file. */
export async function chooseNetwork({
  dataDir,
  genesisFile: givenFile,
}: NodeOptions): Promise<ChosenNetwork> {
  const ownFile = genesisFileOf(dataDir);
  const own = await readSpec(ownFile);
  const isKept = own !== undefined;
  if (givenFile === undefined) return { spec: own ?? devnetSpec(), isKept };
  const given = await readSpec(givenFile);
  if (given === undefined) {
    throw new NodeError("NODE_GENESIS_UNREADABLE", `cannot read ${givenFile}: there is no such file`);
  }
  if (own !== undefined && !equalBytes(specRoot(own), specRoot(given))) {
    throw new NodeError(
      "NODE_GENESIS_OTHER",
      `${givenFile} describes another network than ${ownFile}; start without --genesis to run the directory's own, or choose another --data directory`,
    );
  }
  return { spec: given, isKept };
}

/** The chain of a node that does not run: its open store, whose lock keeps the node from starting, and its network. */
export async function openStoredChain(
  dataDir: string,
): Promise<{ readonly store: KeyValueStore; readonly spec: ChainSpec }> {
  const spec = await readSpec(genesisFileOf(dataDir));
  const chainPath = join(dataDir, "chain");
  if (spec === undefined || !(await exists(chainPath))) {
    const message = `${dataDir} holds no node's chain; name a directory that a node was started in`;
    throw new NodeError("NODE_DATA_UNUSABLE", message);
  }
  return { store: await openStore(dataDir, chainPath, "stop it first"), spec };
}

/** The error for a node's chain in which LevelDB itself finds damage, when it is opened or later. */
export function damagedStore(dataDir: string, error: StoreError): NodeError {
  const chainPath = join(dataDir, "chain");
  const mend = `restore it from a backup, or remove ${chainPath}: blocks come from peers again, and keys are not in it`;
  return unusable(`the chain in ${chainPath} is damaged (${error.message}); ${mend}`, error);
}

/** Opens a chain's store, or says why it cannot be. `ifLocked`: what to do about a node that has it. */
async function openStore(path: string, chainPath: string, ifLocked: string): Promise<KeyValueStore> {
  try {
    return await createLevelStore({ directory: chainPath });
  } catch (error) {
    const code = error instanceof StoreError ? error.code : undefined;
    if (code === "STORE_LOCKED") {
      const message = `${path} is in use by another node; ${ifLocked}`;
      throw new NodeError("NODE_DATA_LOCKED", message, { cause: error });
    }
    if (error instanceof StoreError && code === "STORE_CORRUPT")
      throw damagedStore(dirname(chainPath), error);
    if (code === "STORE_FULL") {
      const message = `cannot open the chain in ${chainPath}: the disk is full; make room and start again, nothing is lost`;
      throw unusable(message, error);
    }
    if (code === "STORE_IO") {
      const message = `cannot use ${path} as data directory: ${(error as Error).message}; ${DIRECTORY_ADVICE}`;
      throw unusable(message, error);
    }
    throw error;
  }
}

/** What one start made, so that exactly that can be taken away again. */
function createMade() {
  const steps: (() => Promise<unknown>)[] = [];
  return {
    directories: (made: readonly string[]) => void steps.push(() => removeDirectories(made)),
    file: (path: string) => void steps.push(() => rm(path, { force: true })),
    tree: (path: string) => void steps.push(() => rm(path, { recursive: true, force: true })),
    async remove(): Promise<void> {
      // The first failure matters more than what could not be removed after it.
      for (const step of steps.splice(0).reverse()) await step().catch(() => {});
    },
  };
}
type Made = ReturnType<typeof createMade>;

/** Makes the directories where they are missing and opens the chain's store, whose lock is the directory's. */
async function lockDirectory(
  path: string,
  made: Made,
): Promise<{ readonly store: KeyValueStore; readonly hadChain: boolean }> {
  const chainPath = join(path, "chain");
  const directories = await makePrivateDirectory(chainPath).catch((error: unknown) => {
    throw unusable(
      `cannot use ${path} as data directory: ${fileProblem(error, "none can be made there")}; ${DIRECTORY_ADVICE}`,
      error,
    );
  });
  made.directories(directories);
  const isNew = directories.at(-1) === resolve(chainPath);
  const locked = "stop that one, or choose another --data directory";
  try {
    const store = await openStore(path, chainPath, locked);
    if (isNew) made.tree(chainPath);
    return { store, hadChain: !isNew };
  } catch (error) {
    // What another node has is not ours to take away.
    if (isNew && !(error instanceof NodeError && error.code === "NODE_DATA_LOCKED")) made.tree(chainPath);
    throw error;
  }
}

/** Writes a file of the directory that a start cannot do without. */
async function writeOwn(path: string, write: typeof replaceWhole, text: string): Promise<void> {
  await write(path, text).catch((error: unknown) => {
    throw unusable(`cannot write ${path}: ${writeProblem(error, DIRECTORY_ADVICE)}`, error);
  });
}

/**
 * Opens or makes a node's directory, mode 0700. Fails with a typed error, and then leaves things as they were; while it
 * is in use by another node, not even what is missing is made.
 */
export async function openDataDirectory(
  options: NodeOptions,
  { spec, isKept }: ChosenNetwork,
  random: Random,
): Promise<DataDirectory> {
  const path = options.dataDir;
  const nodeFile = join(path, "node.json");
  const keysPath = join(path, "keys");
  for (const folder of [RESTORING_FOLDER, RESTORED_FOLDER])
    if (await exists(join(path, folder))) {
      const message = `${path} holds an unfinished restore; run "cumulo restore" there again, or choose another --data directory`;
      throw unusable(message, undefined);
    }
  const secrets = { token: tokenFile(options), networkKey: networkKeyFile(options) };
  for (const secret of Object.values(secrets)) await readSecret(secret);
  const made = createMade();
  let store: KeyValueStore | undefined;
  const secretOf = async (file: SecretFile): Promise<string> => {
    const present = await readSecret(file);
    if (present !== undefined) return present;
    const isNew = !(await exists(file.path));
    const secret = await makeSecret(file, random);
    if (isNew) made.file(file.path);
    return secret;
  };
  const openBeside = async (folder: string, { anew }: { readonly anew: boolean }): Promise<KeyValueStore> => {
    const directory = join(path, folder);
    if (anew) await rm(directory, { recursive: true, force: true });
    if (!(await exists(directory))) made.tree(directory);
    return await createLevelStore({ directory, cacheBytes: BESIDE_CACHE_BYTES });
  };
  const abandon = async (): Promise<void> => {
    await made.remove();
    await store?.close();
  };
  try {
    const locked = await lockDirectory(path, made);
    store = locked.store;
    const opened = locked.store;
    for (const owned of [path, keysPath]) await removeUnfinished(owned);
    return {
      path,
      store: { ...opened, close: async () => {} },
      hadChain: locked.hadChain,
      token: await secretOf(secrets.token),
      networkSeed: hexToBytes(await secretOf(secrets.networkKey)),
      async rewardKey() {
        const keys = createKeyStore(keysPath);
        const name = "reward";
        // Its public half: a node collects with a key that it never opens.
        const present = await keys.entry(name).catch((error: unknown) => {
          if (error instanceof KeyError && error.code === "KEY_NOT_FOUND") return undefined;
          throw error;
        });
        if (present !== undefined) return present.publicKey;
        made.directories(await makePrivateDirectory(keysPath));
        const { publicKey } = await keys.create(name);
        made.file(join(keysPath, `${name}.json`));
        return publicKey;
      },
      async keepGenesis() {
        if (isKept) return;
        await writeOwn(
          genesisFileOf(path),
          createWhole,
          `${JSON.stringify(specToJson(spec), undefined, 2)}\n`,
        );
        made.file(genesisFileOf(path));
      },
      poolFile: join(path, "mempool.bin"),
      openHistory: (options) => openBeside("history", options),
      openTimeline: (options) => openBeside("timeline", options),
      peersFile: join(path, "peers.json"),
      writeNodeFile: (file) => writeOwn(nodeFile, replaceWhole, `${JSON.stringify(file)}\n`),
      removeNodeFile: () => rm(nodeFile, { force: true }),
      close: () => opened.close(),
      abandon,
    };
  } catch (error) {
    await abandon();
    throw error;
  }
}
