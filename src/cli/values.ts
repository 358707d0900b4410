import { isIP } from "node:net";
import { InvalidArgumentError, Option } from "commander";
import type { AttackRole } from "../api/index.ts";

/** A value as an error shows it: whole where that fits on a line. */
export const quoted = (text: string): string =>
  JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** "500ms", "2s", "1.5m", "1h" to ms. */
export function duration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text);
  const valueMs = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ""] ?? Number.NaN);
  if (!(valueMs >= 1 && valueMs <= 86_400_000)) {
    throw new InvalidArgumentError("It must be a time from 1ms to 24h, such as 500ms, 2s or 1m.");
  }
  return Math.round(valueMs);
}

/** An integer within bounds. */
export function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`It must be an integer from ${minimum} to ${maximum}.`);
  };
}

/** An option that takes a time, with its default shown as it would be typed. */
export function timeOption(flags: string, description: string, preset: string): Option {
  return new Option(flags, description).argParser(duration).default(duration(preset), preset);
}

/** Parts that a node can play in an attack; not imported from the API's room, which would load for every command. */
export const ATTACK_ROLES = [
  "withhold",
  "selfish-miner",
  "stall",
  "equivocate",
  "header-spam",
] as const satisfies readonly AttackRole[];

/** As the API bounds it; not imported from there, which would load its schemas for every command. */
const MAX_HASH_RATE = 1e12;

/** Tries a second. */
export function hashRate(text: string): number {
  const value = /^\d{1,15}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= MAX_HASH_RATE) return value;
  throw new InvalidArgumentError(`It must be a number above 0, at most ${MAX_HASH_RATE}.`);
}

/** HOST:PORT, with brackets around IPv6; port 0 lets the system choose. */
export function hostPort(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host !== undefined && port <= 65_535) return { host, port };
  throw new InvalidArgumentError("It must be HOST:PORT, such as 127.0.0.1:7070 (port 0: any free one).");
}

/** The name of a file or directory. Empty is what a script's unset variable leaves, and would mean the present directory. */
export function path(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("It must not be empty.");
}

/** The URL of an API, without a slash at the end. */
export function apiUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.search === "" &&
    url.hash === "" &&
    url.username === ""
  ) {
    return text.replace(/\/+$/, "");
  }
  throw new InvalidArgumentError("It must be a URL such as http://127.0.0.1:7070.");
}

const MULTIADDR =
  /^\/(ip4|ip6|dns|dns4|dns6)\/[0-9A-Za-z.:_-]{1,253}\/tcp\/[0-9]{1,5}(\/p2p\/[1-9A-HJ-NP-Za-km-z]{20,80})?$/;

/** A TCP multiaddr. */
export function multiaddr(text: string): string {
  const [, protocol, host = "", , port] = text.split("/");
  const fits = protocol === "ip4" ? isIP(host) === 4 : protocol === "ip6" ? isIP(host) === 6 : true;
  if (MULTIADDR.test(text) && fits && Number(port) <= 65_535) return text;
  throw new InvalidArgumentError("It must be a multiaddr such as /ip4/127.0.0.1/tcp/4001.");
}

export function oneOf<const Choice extends string>(...choices: Choice[]): (text: string) => Choice {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It must be one of ${choices.join(", ")}.`);
  };
}

/** For options that may be given several times. */
export function collect<T>(parse: (text: string) => T): (text: string, previous: T[] | undefined) => T[] {
  return (text, previous) => [...(previous ?? []), parse(text)];
}
