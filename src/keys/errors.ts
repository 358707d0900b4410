export type KeyErrorCode =
  | "KEY_NAME_INVALID"
  | "KEY_EXISTS"
  | "KEY_NOT_FOUND"
  | "KEY_FILE_INVALID"
  | "KEY_FILE_NEWER"
  | "KEY_FILE_IO"
  | "KEY_ENCRYPTED"
  | "KEY_NOT_ENCRYPTED"
  | "KEY_PASSPHRASE_NEEDED"
  | "KEY_PASSPHRASE_INVALID"
  | "KEY_PASSPHRASE_WRONG"
  | "KEY_DERIVATION_FAILED";

/** A key could not be made, found or opened; the message says which and what to do. Never has a secret or a passphrase. */
export class KeyError extends Error {
  override readonly name = "KeyError";
  readonly code: KeyErrorCode;
  constructor(code: KeyErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
