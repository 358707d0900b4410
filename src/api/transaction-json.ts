import {
  bytesToHex,
  decodeAddress,
  encodeAddress,
  hexToBytes,
  type SealedTransaction,
  sealTransaction,
} from "../primitives/index.ts";
import type { TransactionJson } from "./schemas/index.ts";

/** A transaction as JSON shows it; `transactionFromJson` of it has the same id and leaf. */
export function transactionToJson({ transaction: { body, signature } }: SealedTransaction): TransactionJson {
  const { to, amount, memo } = body.action.value;
  return {
    chain: bytesToHex(body.chain),
    sender: encodeAddress(body.sender),
    nonce: body.nonce,
    fee: body.fee,
    expiry: body.expiry,
    action: { kind: "transfer", to: encodeAddress(to), amount, memo: bytesToHex(memo) },
    signature: bytesToHex(signature),
  };
}

export type ParsedTransaction =
  | { readonly ok: true; readonly transaction: SealedTransaction }
  | { readonly ok: false; readonly problem: string };

/** Seals a transaction that fits the schema; the problem names an address with a wrong checksum. */
export function transactionFromJson(json: TransactionJson): ParsedTransaction {
  const sender = decodeAddress(json.sender);
  if (sender === undefined) return { ok: false, problem: `sender ${json.sender} has a wrong checksum` };
  const to = decodeAddress(json.action.to);
  if (to === undefined) return { ok: false, problem: `action.to ${json.action.to} has a wrong checksum` };
  const memo = hexToBytes(json.action.memo ?? "");
  const body = {
    chain: hexToBytes(json.chain),
    sender,
    nonce: json.nonce,
    fee: json.fee,
    expiry: json.expiry,
    action: { selector: 0 as const, value: { to, amount: json.action.amount, memo } },
  };
  return { ok: true, transaction: sealTransaction({ body, signature: hexToBytes(json.signature) }) };
}
