import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileProblem } from "../files/index.ts";
import { createKeyStore, type KeyStore } from "../keys/index.ts";
import { ADDRESS_FORM, decodeAddress } from "../primitives/index.ts";
import { type ConnectionOptions, dataDirectory } from "./connection.ts";
import { failure, usageError } from "./failure.ts";
import { quoted } from "./values.ts";

/** Whether a directory is there; anything else at its place, or in its way, is an error. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw failure("FILE_UNREADABLE", `cannot look into ${path}: ${fileProblem(error)}`);
  }
  throw failure("DATA_INVALID", `${path} is a file; name a node's data directory`);
}

/**
 * The key files of --data; a usage error where no directory is given. It must be there: a mistyped one has no keys that
 * anybody asks for. Only a first key may come before the node, in a new directory next to those that exist.
 */
export async function openKeyStore(
  options: ConnectionOptions,
  { makes = false }: { readonly makes?: boolean } = {},
): Promise<KeyStore> {
  const data = dataDirectory(options);
  if (data === undefined)
    throw usageError("keys lie in a node's data directory: name it with --data DIR or CUMULO_DATA");
  if (!(await isDirectory(data))) {
    if (!makes) throw failure("DATA_NOT_FOUND", `${data} does not exist; name a node's data directory`);
    await needParent(data);
  }
  return createKeyStore(join(data, "keys"));
}

/** Names the first directory that is missing on the way to `data`, if it is not `data` itself. */
async function needParent(data: string): Promise<void> {
  let missing = resolve(data);
  while (!(await isDirectory(dirname(missing)))) missing = dirname(missing);
  if (missing === resolve(data)) return;
  throw failure("DATA_NOT_FOUND", `cannot make ${data}: ${missing} does not exist; make it first`);
}

/** An address as it is, or the address of the key with this name. */
export async function resolveAddress(text: string, options: ConnectionOptions): Promise<string> {
  if (decodeAddress(text) !== undefined) return text;
  if (text.startsWith("cum1")) {
    const problem = "its length or checksum is wrong";
    throw usageError(`${quoted(text)} is not a valid address (${ADDRESS_FORM}): ${problem}`);
  }
  if (dataDirectory(options) === undefined) {
    throw usageError(
      `${quoted(text)} is not an address (${ADDRESS_FORM}); the name of a key needs --data DIR`,
    );
  }
  return (await (await openKeyStore(options)).entry(text)).address;
}
