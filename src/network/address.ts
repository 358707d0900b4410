import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";

/** Whether the text can be a peer's name: a libp2p peer id. */
export function isPeerName(text: string): boolean {
  try {
    return peerIdFromString(text).toString() === text;
  } catch {
    return false;
  }
}

/**
 * Whether the text is a multiaddr over TCP whose parts are all in range, with a peer's name at its end or none; says
 * nothing about who listens there.
 */
export function isTcpAddress(text: string): boolean {
  try {
    const parts = multiaddr(text).getComponents();
    return (
      parts.some(({ name, value }) => name === "tcp" && Number(value) <= 65_535) &&
      parts.every(({ name, value = "" }) => name !== "p2p" || isPeerName(value))
    );
  } catch {
    return false;
  }
}

/** Whether one can dial it: a TCP address with a port. */
export const isDialable = (text: string): boolean => isTcpAddress(text) && !/\/tcp\/0+(\/|$)/.test(text);
