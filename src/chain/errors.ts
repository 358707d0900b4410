export type ChainErrorCode =
  | "CHAIN_STOPPED"
  | "CHAIN_BUSY"
  | "CHAIN_OTHER_NETWORK"
  | "CHAIN_SCHEMA_NEWER"
  | "CHAIN_SCHEMA_OLDER"
  | "CHAIN_EMPTY"
  /** Its block was pruned here: only a node that keeps all blocks has it. */
  | "CHAIN_PRUNED"
  | "CHAIN_CORRUPT";

/** The chain could not do what was asked. Never says anything about the validity of a block. */
export class ChainError extends Error {
  override readonly name = "ChainError";
  readonly code: ChainErrorCode;
  constructor(code: ChainErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
