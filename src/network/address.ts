import { multiaddr } from "@multiformats/multiaddr";

/** Whether the text is a multiaddr over TCP whose parts are all in range; says nothing about who listens there. */
export function isTcpAddress(text: string): boolean {
  try {
    return multiaddr(text)
      .getComponents()
      .some(({ name }) => name === "tcp");
  } catch {
    return false;
  }
}
