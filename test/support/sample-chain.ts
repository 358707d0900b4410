import {
  assembleBlock,
  type Block,
  encodeBody,
  type Header,
  type SealedHeader,
  type SealedTransaction,
  sealHeader,
  sealTransaction,
  transactionsRoot,
} from "../../src/primitives/index.ts";

const filled = (byte: number) => new Uint8Array(32).fill(byte);

/** A well-formed transaction; its signature is not valid. `memoBytes` makes it longer. */
export function sampleTransaction(nonce: number, memoBytes = 0): SealedTransaction {
  return sealTransaction({
    body: {
      chain: filled(1),
      sender: filled(2),
      nonce,
      fee: 1_000,
      expiry: 100,
      action: { selector: 0, value: { to: filled(3), amount: 5, memo: new Uint8Array(memoBytes).fill(9) } },
    },
    signature: new Uint8Array(64).fill(4),
  });
}

export function sampleHeader(changes: Partial<Header["core"]> = {}, nonce = 7): SealedHeader {
  const core: Header["core"] = {
    rulesVersion: 1,
    chain: filled(1),
    height: 3,
    parent: filled(5),
    timestampMs: 1_767_225_600_000,
    transactionsRoot: filled(6),
    stateRoot: filled(7),
    proposer: filled(8),
    difficulty: 1024n,
    engineRoot: filled(0),
    extra: filled(0),
    ...changes,
  };
  return sealHeader({ core, nonce });
}

/** A well-formed block without proof of work. */
export function sampleBlock(height: number, transactions: readonly SealedTransaction[] = []): Block {
  const header = sampleHeader({ height, transactionsRoot: transactionsRoot(transactions) });
  return assembleBlock(header, encodeBody(transactions, new Uint8Array(0)));
}
