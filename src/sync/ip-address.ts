/** How far an address reaches: this machine, its private networks, or everybody. */
export type Reach = "loopback" | "private" | "public";

/** Where one can dial a peer over TCP. */
export interface Endpoint {
  /** IPv4 in dots, IPv6 as RFC 5952 writes it: one text for each address. */
  readonly ip: string;
  /** 1 to 65,535. */
  readonly port: number;
  readonly reach: Reach;
  /** What one party can be expected to hold as its own: a public /16 of IPv4 or /32 of IPv6, else the address itself. */
  readonly group: string;
}

/** IPv4 addresses stand in the 16 bytes as ::ffff:a.b.c.d. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const isIp4 = (bytes: Uint8Array): boolean => MAPPED.every((byte, i) => bytes[i] === byte);

function parseIp4(text: string): number[] | undefined {
  const parts = text.split(".");
  const isWhole = parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part));
  const bytes = isWhole ? parts.map(Number) : [];
  return bytes.length === 4 && bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** Groups of 16 bits; the last two may be written as IPv4. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const ip4 = i === parts.length - 1 ? parseIp4(part) : undefined;
    if (ip4 !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = ip4;
      groups.push(a * 256 + b, c * 256 + d);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

/** The 16 bytes of an address; undefined where the text is none. Zones (%eth0) are none: they mean nothing elsewhere. */
export function parseIp(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  const ip4 = parseIp4(text);
  if (ip4 !== undefined) return Uint8Array.from([...MAPPED, ...ip4]);
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [before, after] = [parseGroups(halves[0] ?? ""), parseGroups(halves[1] ?? "")];
  if (before === undefined || after === undefined) return undefined;
  const missing = 8 - before.length - after.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...before, ...new Array<number>(missing).fill(0), ...after];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The one text of an address. */
export function formatIp(bytes: Uint8Array): string {
  if (isIp4(bytes)) return bytes.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0));
  let longest = { at: 0, length: 0 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (groups[at + length] === 0) length++;
    if (length > longest.length) longest = { at, length };
  }
  const hex = (from: number, to?: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  // A single zero is written out.
  if (longest.length < 2) return hex(0);
  return `${hex(0, longest.at)}::${hex(longest.at + longest.length)}`;
}

/** Undefined for what nobody can dial: unspecified, multicast, reserved, and IPv6 that wraps IPv4 or needs a zone. */
export function reachOf(bytes: Uint8Array): Reach | undefined {
  if (isIp4(bytes)) return reachOfIp4(bytes[12] ?? 0, bytes[13] ?? 0);
  const first = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return "loopback";
  if (first >= 0xfc00 && first <= 0xfdff) return "private";
  const isSixToFour = first === 0x2002;
  return first >= 0x2000 && first <= 0x3fff && !isSixToFour ? "public" : undefined;
}

function reachOfIp4(a: number, b: number): Reach | undefined {
  if (a === 127) return "loopback";
  if (a === 0 || a >= 224) return undefined;
  const isPrivate =
    a === 10 ||
    (a === 172 && b >= 16 && b <= 31) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    // Shared by the customers of one provider.
    (a === 100 && b >= 64 && b <= 127);
  return isPrivate ? "private" : "public";
}

function groupOf(bytes: Uint8Array): string {
  if (reachOf(bytes) !== "public") return formatIp(bytes);
  const [from, to] = isIp4(bytes) ? [12, 14] : [0, 4];
  return `${isIp4(bytes) ? "ip4" : "ip6"}:${bytes.subarray(from, to).join(".")}`;
}

/** The endpoint of an address and a port; undefined where nobody could dial it. */
export function endpointOf(bytes: Uint8Array, port: number): Endpoint | undefined {
  const reach = reachOf(bytes);
  if (reach === undefined || !(port >= 1 && port <= 65_535)) return undefined;
  return { ip: formatIp(bytes), port, reach, group: groupOf(bytes) };
}

function parseMultiaddr(text: string): { readonly bytes: Uint8Array; readonly port: number } | undefined {
  const match = /^\/(ip4|ip6)\/([^/]{1,45})\/tcp\/(\d{1,5})(?:\/p2p\/[^/]+)?$/.exec(text);
  const bytes = parseIp(match?.[2] ?? "");
  if (bytes === undefined || (match?.[1] === "ip4") !== !match?.[2]?.includes(":")) return undefined;
  return { bytes, port: Number(match?.[3]) };
}

/** The endpoint that a multiaddr names by IP address and TCP port, with a peer's name at its end or none. */
export function parseEndpoint(multiaddr: string): Endpoint | undefined {
  const parsed = parseMultiaddr(multiaddr);
  return parsed === undefined ? undefined : endpointOf(parsed.bytes, parsed.port);
}

/** The IP address in a multiaddr over TCP, also one that we would not dial: others may come from there. */
export const ipIn = (multiaddr: string): Uint8Array | undefined => parseMultiaddr(multiaddr)?.bytes;

/** Whether many peers may share the address: of this machine (0.0.0.0 and :: too), private networks, one link of IPv6. */
export function isLocal(bytes: Uint8Array): boolean {
  const reach = reachOf(bytes);
  if (bytes.every((byte) => byte === 0) || (isIp4(bytes) && bytes[12] === 0)) return true;
  const isOfLink = bytes[0] === 0xfe && ((bytes[1] ?? 0) & 0xc0) === 0x80;
  return isOfLink || reach === "loopback" || reach === "private";
}

/** What one party can be expected to hold as its own: an IPv4 address, or an IPv6 network of 64 bits. */
export const holderOf = (bytes: Uint8Array): string =>
  isIp4(bytes)
    ? formatIp(bytes)
    : `${formatIp(Uint8Array.from([...bytes.subarray(0, 8), ...new Uint8Array(8)]))}/64`;

export const formatEndpoint = ({ ip, port }: Pick<Endpoint, "ip" | "port">): string =>
  `/${ip.includes(":") ? "ip6" : "ip4"}/${ip}/tcp/${port}`;

const BY_DISTANCE: readonly Reach[] = ["loopback", "private", "public"];

/**
 * Whether an address that reaches so far means the same to a peer whom we know at another: everybody can use a public
 * one, only who is in a private network its addresses, and only this machine its loopback.
 */
export const isMeantFor = (address: Reach, peer: Reach): boolean =>
  BY_DISTANCE.indexOf(address) >= BY_DISTANCE.indexOf(peer);
