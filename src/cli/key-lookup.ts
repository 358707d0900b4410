import { join } from "node:path";
import { createKeyStore, type KeyStore } from "../keys/index.ts";
import { decodeAddress } from "../primitives/index.ts";
import { type ConnectionOptions, dataDirectory } from "./connection.ts";
import { usageError } from "./failure.ts";

/** The key files of --data; a usage error where no directory is given. */
export function openKeyStore(options: ConnectionOptions): KeyStore {
  const data = dataDirectory(options);
  if (data === undefined)
    throw usageError("keys lie in a node's data directory: name it with --data DIR or CUMULO_DATA");
  return createKeyStore(join(data, "keys"));
}

/** An address as it is, or the address of the key with this name. */
export async function resolveAddress(text: string, options: ConnectionOptions): Promise<string> {
  if (decodeAddress(text) !== undefined) return text;
  if (text.startsWith("cum1"))
    throw usageError(`${text} is not a valid address: its length or checksum is wrong`);
  if (dataDirectory(options) === undefined) {
    throw usageError(`"${text}" is not an address (cum1...); the name of a key needs --data DIR`);
  }
  return (await openKeyStore(options).load(text)).address;
}
