import { ADDRESS_FORM, decodeAddress, formatCoins, MAX_AMOUNT, parseCoins } from "../primitives/index.ts";
import { usageError } from "./failure.ts";
import { quoted } from "./values.ts";

// Apart from values.ts, which loads for --help too: primitives are heavy.

/** Coins as typed, to base units. */
export function coins(option: string, text: string, least: 0 | 1): number {
  const units = parseCoins(text);
  if (units !== undefined && units >= least) return units;
  if (units === undefined && /^\d+(\.\d{1,8})?$/.test(text)) {
    throw usageError(`${option} must be at most ${formatCoins(MAX_AMOUNT)} coins, not ${quoted(text)}`);
  }
  const above = least > 0 ? " above 0" : "";
  throw usageError(
    `${option} must be an amount in coins${above}, such as 1.5 (at most 8 decimals), not ${quoted(text)}`,
  );
}

/** The public key behind an address as typed. */
export function addressKey(option: string, text: string): Uint8Array {
  const key = decodeAddress(text);
  if (key !== undefined) return key;
  const why = text.startsWith("cum1") ? "; its length or checksum is wrong" : "";
  throw usageError(`${option} must be a valid address (${ADDRESS_FORM}), not ${quoted(text)}${why}`);
}
