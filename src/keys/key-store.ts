import { readdir, realpath, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createWhole, fileProblem, makePrivateDirectory, readBounded, replaceWhole } from "../files/index.ts";
import { decodeAddress } from "../primitives/index.ts";
import { KeyError, type KeyErrorCode } from "./errors.ts";
import {
  type KeyFile,
  type KeyFileFault,
  keyFileError,
  openKeyFile,
  parseKeyFile,
  plainKeyFile,
  sealedKeyFile,
  writeKeyFile,
} from "./key-file.ts";
import type { PassphraseSource, ScryptCost } from "./sealed-secret.ts";
import { generateKey, type Key } from "./signature.ts";

/** A key with the name of its file. */
export interface NamedKey extends Key {
  readonly name: string;
}

/** What a key file tells without its passphrase. The address of an encrypted one is proven when it is opened. */
export interface KeyEntry {
  readonly name: string;
  readonly address: string;
  readonly publicKey: Uint8Array;
  readonly encrypted: boolean;
}

/** A file that is called like a key and cannot be used as one. */
export interface DamagedKey {
  readonly name: string;
  readonly file: string;
  readonly code: KeyErrorCode;
  /** A part of a sentence, such as "it is not JSON". */
  readonly problem: string;
}

/** All keys, and what is no key though it is called like one, each by name and in order. */
export interface KeyListing {
  readonly keys: readonly KeyEntry[];
  readonly damaged: readonly DamagedKey[];
}

/** Keys in files, one each, readable by their owner only. Failures are `KeyError`s. */
export interface KeyStore {
  /**
   * Writes a key (a fresh one by default) under a name that is still free; encrypted where a passphrase is given. The
   * file is on the disk when this settles.
   */
  create(
    name: string,
    options?: { readonly key?: Key; readonly passphrase?: PassphraseSource | undefined },
  ): Promise<NamedKey>;
  list(): Promise<KeyListing>;
  /** The public half of a key, which takes no passphrase. */
  entry(name: string): Promise<KeyEntry>;
  /** `passphrase` is asked where the file is encrypted; without it such a file fails with `KEY_PASSPHRASE_NEEDED`. */
  load(name: string, passphrase?: PassphraseSource): Promise<NamedKey>;
  /** The key behind an address; fails with `KEY_NOT_FOUND` when no file has it. */
  loadByAddress(address: string, passphrase?: PassphraseSource): Promise<NamedKey>;
  /** Replaces a plain file by an encrypted one, whole: a crash leaves either of them. */
  encrypt(name: string, passphrase: PassphraseSource): Promise<KeyEntry>;
  /** Replaces an encrypted file by one under another passphrase, whole, with a fresh salt and nonce. */
  changePassphrase(
    name: string,
    passphrases: { readonly open: PassphraseSource; readonly seal: PassphraseSource },
  ): Promise<KeyEntry>;
  /** Replaces an encrypted file by a plain one, whole. */
  decrypt(name: string, passphrase: PassphraseSource): Promise<KeyEntry>;
  /** Removes the file, damaged or not; there is no way back without a copy of it. */
  remove(name: string): Promise<void>;
  /**
   * Writes a key into a file that must not exist. An encrypted one goes as it is, and a passphrase is only held against
   * it, so that nobody keeps a backup that does not open; a plain one is encrypted where a passphrase is given.
   */
  exportTo(file: string, name: string, passphrase?: PassphraseSource): Promise<KeyEntry>;
  /**
   * Adds a key from a file, under the name that stands in it unless another is given. An encrypted one is opened with
   * `open`, which proves that its address is its secret's, and kept as it is; a plain one is encrypted with `seal`.
   */
  importFrom(
    file: string,
    options: {
      readonly name?: string | undefined;
      readonly open: PassphraseSource;
      readonly seal?: PassphraseSource | undefined;
    },
  ): Promise<KeyEntry>;
}

const NAME = /^[a-z0-9_-]{1,64}$/;
const EXTENSION = ".json";
const MAX_KEY_FILE_BYTES = 64 * 1024;
/** Keys in one directory, at most: `list` reads them all, and nobody keeps more in files. */
const MAX_KEYS = 10_000;

function assertName(name: string): void {
  if (NAME.test(name)) return;
  throw new KeyError(
    "KEY_NAME_INVALID",
    `a key's name has 1 to 64 of the characters a-z, 0-9, - and _; not ${JSON.stringify(name.slice(0, 80))}`,
  );
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
const entryOf = (name: string, { address, publicKey, version }: KeyFile): KeyEntry => ({
  name,
  address,
  publicKey,
  encrypted: version === 2,
});

/** The key file at this path; fails as reading does, or with what is wrong in words where it is no key file. */
async function readKeyFile(file: string): Promise<KeyFile | KeyFileFault> {
  return parseKeyFile(await readBounded(file, MAX_KEY_FILE_BYTES));
}

/** Writes a key file where none is yet; `taken` says what to do where one is. */
async function writeNew(file: string, text: string, taken: string, noDirectory: string): Promise<void> {
  try {
    await createWhole(file, text);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw new KeyError("KEY_EXISTS", taken);
    throw unwritable(file, error, noDirectory);
  }
}

const unwritable = (file: string, error: unknown, missing: string): KeyError =>
  new KeyError("KEY_FILE_IO", `cannot write ${file}: ${fileProblem(error, missing)}`, { cause: error });

/** Keys in `directory` (made with mode 0700 when the first key is created). `cost` of a guess at new passphrases. */
export function createKeyStore(directory: string, { cost }: { readonly cost?: ScryptCost } = {}): KeyStore {
  const fileOf = (name: string): string => join(directory, name + EXTENSION);

  function notFound(name: string): KeyError {
    const message = `no key is called ${name} in ${directory}; "cumulo key list --data DIR" shows them, "cumulo key new ${name} --data DIR" makes it`;
    return new KeyError("KEY_NOT_FOUND", message);
  }

  async function read(name: string): Promise<KeyFile> {
    assertName(name);
    const file = fileOf(name);
    let found: KeyFile | KeyFileFault;
    try {
      found = await readKeyFile(file);
    } catch (error) {
      if (codeOf(error) === "ENOENT") throw notFound(name);
      throw new KeyError("KEY_FILE_IO", `cannot read ${file}: ${fileProblem(error)}`, { cause: error });
    }
    if ("problem" in found) throw keyFileError(file, found);
    return found;
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

  async function add(name: string, content: KeyFile): Promise<void> {
    const file = fileOf(name);
    const noDirectory = "its directory cannot be made there";
    await makePrivateDirectory(directory).catch((error: unknown) => {
      throw unwritable(file, error, noDirectory);
    });
    const taken = `a key called ${name} exists already (${file}); choose another name`;
    await writeNew(file, writeKeyFile(content, name), taken, noDirectory);
  }

  /** As a plain file, or encrypted where a passphrase is given. */
  async function contentOf(key: Key, passphrase: PassphraseSource | undefined): Promise<KeyFile> {
    return passphrase === undefined ? plainKeyFile(key) : sealedKeyFile(key, await passphrase(), { cost });
  }

  /** Replaces a key's file by another form of the same key. */
  async function replace(name: string, content: KeyFile): Promise<KeyEntry> {
    const file = fileOf(name);
    try {
      // Where it is a link, it is the file behind it that holds the secret.
      await replaceWhole(await realpath(file), writeKeyFile(content, name));
    } catch (error) {
      throw unwritable(file, error, "it is gone");
    }
    return entryOf(name, content);
  }

  /** The key in an encrypted file; any other is refused. */
  async function openSealed(name: string, passphrase: PassphraseSource): Promise<Key> {
    const sealed = await read(name);
    const file = fileOf(name);
    if (sealed.version === 2) return openKeyFile(sealed, file, passphrase);
    const message = `${file} is not encrypted; it stays as it is`;
    throw new KeyError("KEY_NOT_ENCRYPTED", message);
  }

  async function load(name: string, passphrase?: PassphraseSource): Promise<NamedKey> {
    return { ...(await openKeyFile(await read(name), fileOf(name), passphrase)), name };
  }

  async function list(): Promise<KeyListing> {
    const keys: KeyEntry[] = [];
    const damaged: DamagedKey[] = [];
    for (const name of await names()) {
      const file = fileOf(name);
      try {
        const found = await readKeyFile(file);
        if ("problem" in found) damaged.push({ name, file, ...found });
        else keys.push(entryOf(name, found));
      } catch (error) {
        damaged.push({ name, file, code: "KEY_FILE_IO", problem: fileProblem(error) });
      }
    }
    return { keys, damaged };
  }

  return {
    async create(name, { key = generateKey(), passphrase } = {}) {
      assertName(name);
      await add(name, await contentOf(key, passphrase));
      return { ...key, name };
    },
    list,
    async entry(name) {
      return entryOf(name, await read(name));
    },
    load,
    async loadByAddress(address, passphrase) {
      const { keys, damaged } =
        decodeAddress(address) === undefined ? { keys: [], damaged: [] } : await list();
      const found = keys.find((key) => key.address === address);
      if (found !== undefined) return load(found.name, passphrase);
      const unread = damaged.length === 0 ? "" : `; ${damaged.length} of its files cannot be read as keys`;
      throw new KeyError("KEY_NOT_FOUND", `no key in ${directory} has the address ${address}${unread}`);
    },
    async encrypt(name, passphrase) {
      const plain = await read(name);
      if (plain.version === 1) return replace(name, await contentOf(plain.key, passphrase));
      const message = `${fileOf(name)} is encrypted already; it stays as it is`;
      throw new KeyError("KEY_ENCRYPTED", message);
    },
    async changePassphrase(name, { open, seal }) {
      const key = await openSealed(name, open);
      return replace(name, await contentOf(key, seal));
    },
    async decrypt(name, passphrase) {
      return replace(name, plainKeyFile(await openSealed(name, passphrase)));
    },
    async remove(name) {
      assertName(name);
      const file = fileOf(name);
      try {
        await unlink(file);
      } catch (error) {
        if (codeOf(error) === "ENOENT") throw notFound(name);
        throw new KeyError("KEY_FILE_IO", `cannot remove ${file}: ${fileProblem(error)}`, { cause: error });
      }
    },
    async exportTo(file, name, passphrase) {
      const own = await read(name);
      const content = own.version === 1 ? await contentOf(own.key, passphrase) : own;
      if (own.version === 2 && passphrase !== undefined) await openKeyFile(own, fileOf(name), passphrase);
      const taken = `${file} exists already; choose another -o FILE, which is never replaced`;
      await writeNew(file, writeKeyFile(content, name), taken, "its directory does not exist");
      return entryOf(name, content);
    },
    async importFrom(file, { name: given, open, seal }) {
      const found = await readKeyFile(file).catch((error: unknown) => {
        throw new KeyError("KEY_FILE_IO", `cannot read ${file}: ${fileProblem(error)}`, { cause: error });
      });
      if ("problem" in found) throw keyFileError(file, found);
      const name = given ?? found.name ?? "";
      if (given === undefined && !NAME.test(name))
        throw new KeyError("KEY_NAME_INVALID", `${file} names no key that can be; name it with --name NAME`);
      assertName(name);
      const key = await openKeyFile(found, file, open);
      const content = found.version === 1 ? await contentOf(key, seal) : found;
      await add(name, content);
      return entryOf(name, content);
    },
  };
}
