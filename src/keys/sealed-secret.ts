import { randomBytes, scrypt } from "node:crypto";
import type { Random } from "../ports/index.ts";
import { bytesToHex, hexToBytes } from "../primitives/index.ts";
import { KeyError } from "./errors.ts";
import {
  AEAD_KEY_BYTES,
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  aeadDecrypt,
  aeadEncrypt,
} from "./xchacha20-poly1305.ts";

/** Asks for a passphrase; called only where one is needed, and at most once for each file. */
export type PassphraseSource = () => Promise<string>;

/** What one guess costs (RFC 7914): 128·n·r bytes of memory, and time in proportion to n·r·p. */
export interface ScryptCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

/** A secret under a passphrase, as it stands in a key file. Bytes are lowercase hex. */
export interface SealedSecret {
  readonly kdf: ScryptCost & { readonly name: "scrypt"; readonly salt: string };
  readonly cipher: {
    readonly name: "xchacha20poly1305";
    readonly nonce: string;
    /** Sealed seed and the tag of 16 bytes after it. */
    readonly ciphertext: string;
  };
}

/** 128 MiB and about a third of a second for each guess. */
export const DEFAULT_SCRYPT_COST: ScryptCost = { n: 2 ** 17, r: 8, p: 1 };
/** In bytes of UTF-8. */
export const MAX_PASSPHRASE_BYTES = 1024;

const SALT_BYTES = 32;
const SECRET_BYTES = 32;
/** Bounds on what a file may ask for: somebody else may have written it. Below them nothing protects, above nobody waits. */
const MIN_N = 2 ** 10;
const MAX_N = 2 ** 20;
const MIN_R = 8;
const MAX_R = 32;
const MAX_P = 16;
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
/** n·r·p, eight times the default. */
const MAX_WORK = 2 ** 23;

const isHex = (value: unknown, bytes: number): boolean =>
  typeof value === "string" && value.length === 2 * bytes && /^[0-9a-f]*$/.test(value);
const within = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

/** The parts of a key file that hold the sealed secret, or what is wrong with them. Never derives anything. */
export function parseSealedSecret(json: {
  readonly kdf?: unknown;
  readonly cipher?: unknown;
}): SealedSecret | string {
  const { name: kdfName, n, r, p, salt } = objectOf(json.kdf);
  const { name: cipherName, nonce, ciphertext } = objectOf(json.cipher);
  if (kdfName !== "scrypt") return "its kdf is not scrypt";
  if (cipherName !== "xchacha20poly1305") return "its cipher is not xchacha20poly1305";
  const cost = { n, r, p } as ScryptCost;
  const isPowerOfTwo = Number.isInteger(Math.log2(cost.n));
  if (!within(n, MIN_N, MAX_N) || !isPowerOfTwo || !within(r, MIN_R, MAX_R) || !within(p, 1, MAX_P))
    return `its kdf must have n, a power of two from ${MIN_N} to ${MAX_N}, r from ${MIN_R} to ${MAX_R}, and p from 1 to ${MAX_P}`;
  if (128 * cost.n * cost.r > MAX_MEMORY_BYTES || cost.n * cost.r * cost.p > MAX_WORK)
    return "its kdf asks for more memory or time than a key may cost";
  if (!isHex(salt, SALT_BYTES)) return `its salt is not ${2 * SALT_BYTES} hex digits`;
  if (!isHex(nonce, AEAD_NONCE_BYTES)) return `its nonce is not ${2 * AEAD_NONCE_BYTES} hex digits`;
  if (!isHex(ciphertext, SECRET_BYTES + AEAD_TAG_BYTES))
    return `its ciphertext is not ${2 * (SECRET_BYTES + AEAD_TAG_BYTES)} hex digits`;
  return {
    kdf: { name: "scrypt", ...cost, salt: salt as string },
    cipher: { name: "xchacha20poly1305", nonce: nonce as string, ciphertext: ciphertext as string },
  };
}

type Envelope = Pick<SealedSecret, "kdf"> & { readonly cipher: Omit<SealedSecret["cipher"], "ciphertext"> };

/** Everything in the file that the secret must not be opened with when it was changed: one line for each. */
function associatedData(address: string, { kdf, cipher }: Envelope): Buffer {
  const lines = ["cumulo/key/2", address, kdf.name, kdf.n, kdf.r, kdf.p, kdf.salt, cipher.name, cipher.nonce];
  return Buffer.from(lines.join("\n"), "ascii");
}

/** In libuv's threads: a third of a second on the event loop would hold up a whole node. */
async function deriveKey(passphrase: string, { n, r, p, salt }: SealedSecret["kdf"]): Promise<Buffer> {
  const bytes = Buffer.from(passphrase, "utf8");
  if (bytes.length === 0 || bytes.length > MAX_PASSPHRASE_BYTES)
    throw new KeyError("KEY_PASSPHRASE_INVALID", `a passphrase has 1 to ${MAX_PASSPHRASE_BYTES} bytes`);
  // What OpenSSL counts against it: n + 2 blocks of scratch and p blocks of input.
  const options = { N: n, r, p, maxmem: 128 * r * (n + p + 2) };
  try {
    return await new Promise((resolve, reject) =>
      scrypt(bytes, hexToBytes(salt), AEAD_KEY_BYTES, options, (error, key) =>
        error === null ? resolve(key) : reject(error),
      ),
    );
  } catch (cause) {
    const message = `no key could be derived from the passphrase, which takes ${Math.ceil(options.maxmem / 2 ** 20)} MiB of memory; free some and try again`;
    throw new KeyError("KEY_DERIVATION_FAILED", message, { cause });
  } finally {
    bytes.fill(0);
  }
}

/** Seals a secret of 32 bytes for this address. `random` is for reproducible vectors only: a nonce is never used twice. */
export async function sealSecret(
  secret: Uint8Array,
  {
    address,
    passphrase,
    cost: { n, r, p } = DEFAULT_SCRYPT_COST,
    random = { bytes: randomBytes },
  }: {
    readonly address: string;
    readonly passphrase: string;
    readonly cost?: ScryptCost | undefined;
    readonly random?: Pick<Random, "bytes"> | undefined;
  },
): Promise<SealedSecret> {
  const kdf = { name: "scrypt", n, r, p, salt: bytesToHex(random.bytes(SALT_BYTES)) } as const;
  const nonce = random.bytes(AEAD_NONCE_BYTES);
  const cipher = { name: "xchacha20poly1305", nonce: bytesToHex(nonce) } as const;
  const key = await deriveKey(passphrase, kdf);
  const ciphertext = aeadEncrypt(secret, { key, nonce, bound: associatedData(address, { kdf, cipher }) });
  key.fill(0);
  return { kdf, cipher: { ...cipher, ciphertext: bytesToHex(ciphertext) } };
}

/** The secret, which its caller owns; undefined for another passphrase, or where anything was changed. */
export async function openSecret(
  sealed: SealedSecret,
  { address, passphrase }: { readonly address: string; readonly passphrase: string },
): Promise<Uint8Array | undefined> {
  const key = await deriveKey(passphrase, sealed.kdf);
  const secret = aeadDecrypt(hexToBytes(sealed.cipher.ciphertext), {
    key,
    nonce: hexToBytes(sealed.cipher.nonce),
    bound: associatedData(address, sealed),
  });
  key.fill(0);
  return secret;
}
