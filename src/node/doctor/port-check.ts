import { connect } from "node:net";

/** A port that is open on this machine, or forwarded to it, answers at once. */
const CONNECT_MS = 1_500;
/** Addresses tried: a machine has a few. */
const MAX_ADDRESSES = 4;

const ADDRESS = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d+)/;

/** Why no TCP connection can be had there; undefined where it can. */
function problemOf(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(CONNECT_MS, () => end(`nobody answers within ${CONNECT_MS} ms`));
    socket.once("connect", () => end(undefined));
    socket.once("error", ({ code, message }: NodeJS.ErrnoException) =>
      end(code === "ECONNREFUSED" ? "the connection is refused" : message),
    );
  });
}

/** Dials the addresses that others are told, from this machine. */
export async function closedAddresses(
  addresses: readonly string[],
): Promise<{ readonly address: string; readonly problem: string }[]> {
  const tried = addresses.slice(0, MAX_ADDRESSES).map(async (address) => {
    const [, host, port] = ADDRESS.exec(address) ?? [];
    const problem = host === undefined ? undefined : await problemOf(host, Number(port));
    return problem === undefined ? [] : [{ address, problem }];
  });
  return (await Promise.all(tried)).flat();
}
