import { PASSED, refuse, type Verdict } from "../consensus/index.ts";
import { addAmounts, type ChainSpec, type SealedTransaction } from "../primitives/index.ts";

/** Least fee for a serialized transaction of so many bytes, base units; account creation comes on top. */
export function minimumFee(spec: ChainSpec, sizeBytes: number): number {
  return spec.minFeePerByte * sizeBytes;
}

/** Stage *sanity* for one transaction: what it shows alone, except the signature, which is verified in batches. */
export function checkTransactionSanity(
  spec: ChainSpec,
  chainId: Uint8Array,
  sealed: SealedTransaction,
): Verdict {
  const { amount, fee } = sealed;
  if (!sealed.isFor(chainId)) return refuse("TX-02", `transaction ${sealed.txid} is for another chain`);
  if (amount < 1) return refuse("TX-04", `transaction ${sealed.txid} moves nothing`);
  if (addAmounts(amount, fee) === undefined) {
    return refuse(
      "TX-05",
      `transaction ${sealed.txid}: amount ${amount} and fee ${fee} exceed 2^53 - 1 together`,
    );
  }
  const minimum = minimumFee(spec, sealed.bytes.length);
  if (fee < minimum) {
    return refuse(
      "TX-06",
      `transaction ${sealed.txid}: fee ${fee} base units; ${minimum} is the least for ${sealed.bytes.length} bytes`,
    );
  }
  return PASSED;
}
