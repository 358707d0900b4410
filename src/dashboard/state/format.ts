/** How things are written on the page: short, exact, and the same everywhere. */

const UNITS_PER_COIN = 100_000_000;

export const shortId = (id: string): string => id.slice(0, 10);
export const shortAddress = (address: string): string => `${address.slice(0, 8)}…${address.slice(-5)}`;
export const shortPeer = (peer: string): string => `…${peer.slice(-7)}`;

/** Base units as coins, without zeros that say nothing. */
export function coins(units: number): string {
  const whole = Math.floor(units / UNITS_PER_COIN);
  const rest = String(units % UNITS_PER_COIN)
    .padStart(8, "0")
    .replace(/0+$/, "");
  return `${whole.toLocaleString("en")}${rest === "" ? "" : `.${rest}`}`;
}

/** What a person typed as coins, in base units; undefined where it is no amount. */
export function unitsOf(text: string): number | undefined {
  const match = /^(\d{1,8})(?:\.(\d{1,8}))?$/.exec(text.trim());
  if (match === null) return undefined;
  return Number(match[1]) * UNITS_PER_COIN + Number((match[2] ?? "").padEnd(8, "0"));
}

const PREFIXES = ["", "k", "M", "G", "T", "P", "E"];

/** Three digits and a prefix: 1.24 k, 512, 38.1 M. */
export function compact(value: number): string {
  if (!Number.isFinite(value)) return "–";
  let scaled = value;
  let prefix = 0;
  while (scaled >= 999.5 && prefix < PREFIXES.length - 1) {
    scaled /= 1_000;
    prefix++;
  }
  const digits = prefix === 0 && Number.isInteger(scaled) ? 0 : scaled < 10 ? 2 : scaled < 100 ? 1 : 0;
  return `${scaled.toFixed(digits)}${prefix === 0 ? "" : ` ${PREFIXES[prefix]}`}`;
}

/** Cumulative work from hex. */
export const work = (hex: string | undefined): string =>
  hex === undefined ? "–" : compact(Number(BigInt(`0x${hex}`)));

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.floor((ms % 60_000) / 1_000);
  if (minutes < 60) return `${minutes} min ${seconds} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** The time of day by this machine's clock, to the millisecond. */
export function clock(timeMs: number): string {
  const date = new Date(timeMs);
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

export const count = (value: number, one: string, many = `${one}s`): string =>
  `${value.toLocaleString("en")} ${value === 1 ? one : many}`;

export const bytes = (value: number): string =>
  value < 1_024
    ? `${value} B`
    : value < 1_048_576
      ? `${(value / 1_024).toFixed(1)} KiB`
      : `${(value / 1_048_576).toFixed(1)} MiB`;
