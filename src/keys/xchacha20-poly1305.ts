import sodium from "sodium-native";

/** A message under one key and nonce, with what is bound to it. Sodium takes whole buffers, so everything is copied. */
interface Sealing {
  readonly key: Uint8Array;
  /** Never used twice with one key. */
  readonly nonce: Uint8Array;
  /** Associated data: not in the ciphertext, but the ciphertext opens only with the same again. */
  readonly bound: Uint8Array;
}

export const AEAD_KEY_BYTES = 32;
export const AEAD_NONCE_BYTES = 24;
export const AEAD_TAG_BYTES = 16;

/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): the ciphertext with its tag behind it. */
export function aeadEncrypt(message: Uint8Array, { key, nonce, bound }: Sealing): Uint8Array {
  const ciphertext = Buffer.alloc(message.length + AEAD_TAG_BYTES);
  const [plain, secret] = [Buffer.from(message), Buffer.from(key)];
  sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
    ciphertext,
    plain,
    Buffer.from(bound),
    null,
    Buffer.from(nonce),
    secret,
  );
  plain.fill(0);
  secret.fill(0);
  return new Uint8Array(ciphertext);
}

/** The message, which its caller owns; undefined where key, nonce, bound data or ciphertext are not those it was made with. */
export function aeadDecrypt(ciphertext: Uint8Array, { key, nonce, bound }: Sealing): Uint8Array | undefined {
  if (
    key.length !== AEAD_KEY_BYTES ||
    nonce.length !== AEAD_NONCE_BYTES ||
    ciphertext.length < AEAD_TAG_BYTES
  )
    return undefined;
  const message = Buffer.alloc(ciphertext.length - AEAD_TAG_BYTES);
  const secret = Buffer.from(key);
  try {
    sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      message,
      null,
      Buffer.from(ciphertext),
      Buffer.from(bound),
      Buffer.from(nonce),
      secret,
    );
    return message;
  } catch {
    // All lengths are right, so it can be nothing but the tag.
    return undefined;
  } finally {
    secret.fill(0);
  }
}
