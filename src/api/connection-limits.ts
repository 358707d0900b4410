import type { Server } from "node:http";
import type { Socket } from "node:net";
import { isLoopback } from "./access.ts";
import { rateAddress } from "./rate-limits.ts";

/** Open connections in all: each holds a socket, and a request of at most a body's size. */
const MAX_CONNECTIONS = 512;
/** Of other machines together, so that programs on this one always find room. */
const MAX_REMOTE_CONNECTIONS = 384;
/** Of one other address: more than any browser opens. */
export const MAX_CONNECTIONS_PER_ADDRESS = 64;

/** Closes connections beyond the bounds as soon as they come, without a word: who opens hundreds reads none. */
export function limitConnections(server: Server): void {
  server.maxConnections = MAX_CONNECTIONS;
  const byAddress = new Map<string, number>();
  let remote = 0;
  server.on("connection", (socket: Socket) => {
    const from = socket.remoteAddress;
    // Gone already.
    if (from === undefined) return;
    if (isLoopback(from)) return;
    const address = rateAddress(from);
    const open = byAddress.get(address) ?? 0;
    if (open >= MAX_CONNECTIONS_PER_ADDRESS || remote >= MAX_REMOTE_CONNECTIONS) {
      socket.destroy();
      return;
    }
    byAddress.set(address, open + 1);
    remote++;
    socket.once("close", () => {
      remote--;
      const left = (byAddress.get(address) ?? 1) - 1;
      if (left === 0) byAddress.delete(address);
      else byAddress.set(address, left);
    });
  });
}
