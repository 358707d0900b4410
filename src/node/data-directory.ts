import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createKeyStore, type KeyStore, makePrivateDirectory } from "../keys/index.ts";
import type { Random } from "../ports/index.ts";
import {
  bytesToHex,
  type ChainSpec,
  devnetSpec,
  equalBytes,
  hexToBytes,
  parseGenesis,
  specRoot,
  specToJson,
} from "../primitives/index.ts";
import { NodeError, type NodeOptions } from "./options.ts";

/** What others find of a running node in its directory. */
export interface NodeFile {
  readonly pid: number;
  readonly api: string;
  readonly multiaddrs: readonly string[];
}

/** The files of one node: its chain, its keys, genesis.json, two secrets, and node.json while it runs. */
export interface DataDirectory {
  readonly path: string;
  readonly chainPath: string;
  readonly keys: KeyStore;
  /** The bearer token that changing requests need. */
  readonly token: string;
  /** Seed of the transport key, which is the node's name among peers. */
  readonly networkSeed: Uint8Array;
  readonly spec: ChainSpec;
  /** Writes genesis.json where there is none yet; call once the chain is open, and with it the directory locked. */
  keepGenesis(): Promise<void>;
  writeNodeFile(file: NodeFile): Promise<void>;
  removeNodeFile(): Promise<void>;
}

const SECRET_BYTES = 32;
const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

/** Reads a secret of 32 bytes in hex, or makes it: readable by its owner only, on the disk before anyone relies on it. */
async function secretFile(path: string, random: Random): Promise<string> {
  try {
    const text = (await readFile(path, "utf8")).trim();
    if (/^[0-9a-f]{64}$/.test(text)) return text;
    throw new NodeError(
      "NODE_DATA_UNUSABLE",
      `${path} is not 64 hex digits; remove it to have a new one made`,
    );
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
  const secret = bytesToHex(random.bytes(SECRET_BYTES));
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(`${secret}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return secret;
}

async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, text, { mode: 0o600 });
  await rename(temporary, path);
}

/** The spec a genesis file holds; `undefined` where there is no such file. */
async function readSpec(path: string): Promise<ChainSpec | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw new NodeError("NODE_GENESIS_UNREADABLE", `cannot read ${path}: ${String(error)}`, { cause: error });
  }
  const parsed = parseGenesis(text);
  if (!parsed.ok) throw new NodeError("NODE_GENESIS_INVALID", `${path}: ${parsed.problem}`);
  return parsed.spec;
}

/** The network to run. A directory belongs to one for good: it may hold the only copy of its genesis file. */
async function chooseSpec(
  ownFile: string,
  givenFile: string | undefined,
): Promise<{ spec: ChainSpec; isKept: boolean }> {
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

/** Opens or makes a node's directory, mode 0700. */
export async function openDataDirectory(options: NodeOptions, random: Random): Promise<DataDirectory> {
  const path = options.dataDir;
  try {
    await makePrivateDirectory(path);
  } catch (error) {
    throw new NodeError("NODE_DATA_UNUSABLE", `cannot use ${path} as data directory: ${String(error)}`, {
      cause: error,
    });
  }
  const nodeFile = join(path, "node.json");
  const genesisFile = join(path, "genesis.json");
  const { spec, isKept } = await chooseSpec(genesisFile, options.genesisFile);
  return {
    path,
    chainPath: join(path, "chain"),
    keys: createKeyStore(join(path, "keys")),
    token: await secretFile(options.tokenFile ?? join(path, "api-token"), random),
    networkSeed: hexToBytes(await secretFile(join(path, "network-key"), random)),
    spec,
    async keepGenesis() {
      if (!isKept) await writeWhole(genesisFile, `${JSON.stringify(specToJson(spec), undefined, 2)}\n`);
    },
    writeNodeFile: (file) => writeWhole(nodeFile, `${JSON.stringify(file)}\n`),
    removeNodeFile: () => rm(nodeFile, { force: true }),
  };
}
