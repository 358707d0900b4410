/** Base units in one coin. */
export const UNITS_PER_COIN = 100_000_000;
/** No balance, fee, sum or supply exceeds this: 2^53 - 1, the largest integer a JavaScript number holds exactly. */
export const MAX_AMOUNT: number = Number.MAX_SAFE_INTEGER;

/** `a + b`, or `undefined` where the sum leaves the range of amounts. */
export function addAmounts(a: number, b: number): number | undefined {
  const sum = a + b;
  return sum <= MAX_AMOUNT ? sum : undefined;
}

/** Coins as people type them ("12", "0.5", at most 8 decimals) to base units; `undefined` where it is not such a number. */
export function parseCoins(text: string): number | undefined {
  const match = /^(\d{1,9})(?:\.(\d{1,8}))?$/.exec(text);
  if (match === null) return undefined;
  const [, whole = "0", decimals = ""] = match;
  const units = Number(whole) * UNITS_PER_COIN + Number(decimals.padEnd(8, "0"));
  return Number.isSafeInteger(units) ? units : undefined;
}

/** Base units as coins, without trailing zeros: 150000000 is "1.5". */
export function formatCoins(units: number): string {
  const whole = Math.floor(units / UNITS_PER_COIN);
  const decimals = String(units % UNITS_PER_COIN)
    .padStart(8, "0")
    .replace(/0+$/, "");
  return decimals === "" ? String(whole) : `${whole}.${decimals}`;
}
