import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createWhole, fileProblem, makePrivateDirectory, readBounded } from "../files/index.ts";
import { decodeAddress, hexToBytes } from "../primitives/index.ts";
import { generateKey, type Key, keyFromSeed } from "./signature.ts";

export type KeyErrorCode =
  | "KEY_NAME_INVALID"
  | "KEY_EXISTS"
  | "KEY_NOT_FOUND"
  | "KEY_FILE_INVALID"
  | "KEY_FILE_IO";

/** A key could not be made, found or read; the message says which and what to do. Never contains a secret. */
export class KeyError extends Error {
  override readonly name = "KeyError";
  readonly code: KeyErrorCode;
  constructor(code: KeyErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A key with the name of its file. */
export interface NamedKey extends Key {
  readonly name: string;
}

/** What `list` tells without opening secrets to its caller. */
export interface KeyEntry {
  readonly name: string;
  readonly address: string;
}

/** Keys in files, one each, readable by their owner only. Failures are `KeyError`s. */
export interface KeyStore {
  /** Writes a key (a fresh one by default) under a name that is still free; the file is on the disk when this settles. */
  create(name: string, key?: Key): Promise<NamedKey>;
  /** All keys by name, in order. A file that is no key file is an error that names it. */
  list(): Promise<readonly KeyEntry[]>;
  load(name: string): Promise<NamedKey>;
  /** The key behind an address; fails with `KEY_NOT_FOUND` when no file has it. */
  loadByAddress(address: string): Promise<NamedKey>;
}

const NAME = /^[a-z0-9_-]{1,64}$/;
const EXTENSION = ".json";
const MAX_KEY_FILE_BYTES = 64 * 1024;
/** Keys in one directory, at most: `list` reads them all, and nobody keeps more in plain files. */
const MAX_KEYS = 10_000;

function assertName(name: string): void {
  if (NAME.test(name)) return;
  throw new KeyError(
    "KEY_NAME_INVALID",
    `a key's name has 1 to 64 of the characters a-z, 0-9, - and _; not ${JSON.stringify(name.slice(0, 80))}`,
  );
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function parseKeyFile(text: string, file: string, name: string): NamedKey {
  const invalid = (problem: string): KeyError =>
    new KeyError(
      "KEY_FILE_INVALID",
      `${file} is not a key file: ${problem}; restore it from a backup or move it away`,
    );
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw invalid("it is not JSON"); // Without the parser's message: it quotes the text, which may hold the secret.
  }
  if (typeof json !== "object" || json === null) throw invalid("it is not a JSON object");
  if (json["version"] !== 1) throw invalid("its version is not 1");
  const { secret, address } = json;
  if (typeof secret !== "string" || !/^[0-9a-f]{64}$/.test(secret))
    throw invalid("its secret is not 64 hex digits");
  const key = keyFromSeed(hexToBytes(secret));
  if (address !== key.address) throw invalid("its address does not belong to its secret");
  return { ...key, name };
}

/** Keys in `directory` (made with mode 0700 when the first key is created). */
export function createKeyStore(directory: string): KeyStore {
  const fileOf = (name: string): string => join(directory, name + EXTENSION);

  async function load(name: string): Promise<NamedKey> {
    assertName(name);
    const file = fileOf(name);
    try {
      return parseKeyFile(await readBounded(file, MAX_KEY_FILE_BYTES), file, name);
    } catch (error) {
      if (error instanceof KeyError) throw error;
      if (codeOf(error) === "ENOENT") {
        const message = `no key is called ${name} in ${directory}; "cumulo key list --data DIR" shows them, "cumulo key new ${name} --data DIR" makes it`;
        throw new KeyError("KEY_NOT_FOUND", message);
      }
      throw new KeyError("KEY_FILE_IO", `cannot read ${file}: ${fileProblem(error)}`, { cause: error });
    }
  }

  async function names(): Promise<readonly string[]> {
    let files: string[];
    try {
      files = await readdir(directory);
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw new KeyError("KEY_FILE_IO", `cannot list ${directory}: ${fileProblem(error)}`, {
        cause: error,
      });
    }
    const found = files
      .filter((file) => file.endsWith(EXTENSION))
      .map((file) => file.slice(0, -EXTENSION.length));
    return found
      .filter((name) => NAME.test(name))
      .sort()
      .slice(0, MAX_KEYS);
  }

  return {
    async create(name, key = generateKey()) {
      assertName(name);
      const file = fileOf(name);
      const content = { version: 1, name, address: key.address, secret: key.secretHex() };
      try {
        await makePrivateDirectory(directory);
        await createWhole(file, `${JSON.stringify(content, undefined, 2)}\n`);
      } catch (error) {
        if (codeOf(error) === "EEXIST") {
          throw new KeyError(
            "KEY_EXISTS",
            `a key called ${name} exists already (${file}); choose another name`,
          );
        }
        const why = fileProblem(error, "its directory cannot be made there");
        throw new KeyError("KEY_FILE_IO", `cannot write ${file}: ${why}`, {
          cause: error,
        });
      }
      return { ...key, name };
    },
    load,
    async list() {
      const entries: KeyEntry[] = [];
      for (const name of await names()) entries.push({ name, address: (await load(name)).address });
      return entries;
    },
    async loadByAddress(address) {
      if (decodeAddress(address) !== undefined) {
        for (const name of await names()) {
          const key = await load(name);
          if (key.address === address) return key;
        }
      }
      throw new KeyError("KEY_NOT_FOUND", `no key in ${directory} has the address ${address}`);
    },
  };
}
