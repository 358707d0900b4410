import type { Random } from "../ports/index.ts";
import { decodeAddress, encodeAddress, hexToBytes } from "../primitives/index.ts";
import { KeyError } from "./errors.ts";
import {
  openSecret,
  type PassphraseSource,
  parseSealedSecret,
  type ScryptCost,
  type SealedSecret,
  sealSecret,
} from "./sealed-secret.ts";
import { type Key, keyFromSeed } from "./signature.ts";

interface Public {
  /** What the file says it is called; a note, since a file may be renamed. */
  readonly name: string | undefined;
  readonly address: string;
  readonly publicKey: Uint8Array;
}

/**
 * What a key file holds, byte for byte in docs/protocol.md, "Key files". The address of a plain one is proven by its
 * secret; that of a sealed one is what the file says until it is opened.
 */
export type KeyFile =
  | (Public & { readonly version: 1; readonly key: Key })
  | (Public & { readonly version: 2; readonly sealed: SealedSecret });

/** Why a text is no key file, or none for us. */
export interface KeyFileFault {
  readonly code: "KEY_FILE_INVALID" | "KEY_FILE_NEWER";
  /** A part of a sentence, such as "it is not JSON"; never a quotation, which might be of a secret. */
  readonly problem: string;
}

/** The key file in this text, or what is wrong with it. */
export function parseKeyFile(text: string): KeyFile | KeyFileFault {
  const found = parse(text);
  return typeof found === "string" ? { code: "KEY_FILE_INVALID", problem: found } : found;
}

function parse(text: string): KeyFile | KeyFileFault | string {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return "it is not JSON";
  }
  if (typeof json !== "object" || json === null) return "it is not a JSON object";
  const { version, address, secret } = json;
  const name = typeof json["name"] === "string" ? json["name"] : undefined;
  if (version === 1) {
    if (typeof secret !== "string" || !/^[0-9a-f]{64}$/.test(secret))
      return "its secret is not 64 hex digits";
    const key = keyFromSeed(hexToBytes(secret));
    if (address !== key.address) return "its address does not belong to its secret";
    return { version, name, address: key.address, publicKey: key.publicKey, key };
  }
  if (Number.isSafeInteger(version) && Number(version) > 2)
    return { code: "KEY_FILE_NEWER", problem: `a later cumulo wrote it (version ${version} of key files)` };
  if (version !== 2) return "its version is neither 1 nor 2";
  const publicKey = typeof address === "string" ? decodeAddress(address) : undefined;
  // An address may be written in capitals too, but what is bound to the secret are these bytes.
  if (publicKey === undefined || address !== encodeAddress(publicKey)) return "its address is not valid";
  const sealed = parseSealedSecret(json);
  if (typeof sealed === "string") return sealed;
  return { version, name, address, publicKey, sealed };
}

/** The text of a key file under this name. */
export function writeKeyFile(file: KeyFile, name: string): string {
  const { version, address } = file;
  const content =
    file.version === 1
      ? { version, name, address, secret: file.key.secretHex() }
      : { version, name, address, ...file.sealed };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** A key as it stands in a file that is not encrypted. */
export function plainKeyFile(key: Key): KeyFile {
  return { version: 1, name: undefined, address: key.address, publicKey: key.publicKey, key };
}

/** A key as it stands in an encrypted file. */
export async function sealedKeyFile(
  key: Key,
  passphrase: string,
  options: { readonly cost?: ScryptCost | undefined; readonly random?: Pick<Random, "bytes"> } = {},
): Promise<KeyFile> {
  const { address, publicKey } = key;
  const seed = hexToBytes(key.secretHex());
  try {
    const sealed = await sealSecret(seed, { address, passphrase, ...options });
    return { version: 2, name: undefined, address, publicKey, sealed };
  } finally {
    seed.fill(0);
  }
}

/** The key in a file, which `where` names in errors. Fails with a `KeyError`. */
export async function openKeyFile(
  file: KeyFile,
  where: string,
  passphrase: PassphraseSource | undefined,
): Promise<Key> {
  if (file.version === 1) return file.key;
  if (passphrase === undefined) {
    const message = `${where} is encrypted, and this command takes no passphrase; use a key that is not`;
    throw new KeyError("KEY_PASSPHRASE_NEEDED", message);
  }
  const { address, sealed } = file;
  const seed = await openSecret(sealed, { address, passphrase: await passphrase() });
  if (seed === undefined) {
    const message = `the passphrase does not open ${where}: it is the wrong one, or the file was changed; try again, or restore the file from a backup`;
    throw new KeyError("KEY_PASSPHRASE_WRONG", message);
  }
  const key = keyFromSeed(seed);
  seed.fill(0);
  // Whoever sealed it knew the passphrase and wrote a false address.
  if (key.address !== address) {
    const problem = "its address does not belong to its secret";
    throw keyFileError(where, { code: "KEY_FILE_INVALID", problem });
  }
  return key;
}

/** The error for a file that is no key file, or none for us. */
export function keyFileError(where: string, { code, problem }: KeyFileFault): KeyError {
  const message =
    code === "KEY_FILE_NEWER"
      ? `${where} cannot be read: ${problem}; use that version`
      : `${where} is not a key file: ${problem}; restore it from a backup or move it away`;
  return new KeyError(code, message);
}
