import { bech32m } from "@scure/base";

const PREFIX = "cum";
/** What an address looks like, for people. */
export const ADDRESS_FORM = "cum1 and 58 more characters";

/** An Ed25519 public key (32 bytes) as people write it: bech32m (BIP 350) with prefix `cum`. */
export function encodeAddress(publicKey: Uint8Array): string {
  return bech32m.encode(PREFIX, bech32m.toWords(publicKey));
}

/** The public key behind an address; `undefined` for a typing error, another prefix or another length. */
export function decodeAddress(text: string): Uint8Array | undefined {
  try {
    const { prefix, words } = bech32m.decode(text as `${string}1${string}`);
    const key = bech32m.fromWords(words);
    return prefix === PREFIX && key.length === 32 ? key : undefined;
  } catch {
    return undefined;
  }
}
