/**
 * A program that keeps the promises of `cumulo node start` (node.json, token, API, signals, the parent's channel) without
 * a chain or a network, so that supervisors can be tested in a second. FAKE_NODE chooses how it misbehaves.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { createApiServer, type Link } from "../../src/api/index.ts";
import { createMemoryMetrics, silentLogger } from "../../src/ports/index.ts";
import { createRealTimers, realClock } from "./real-time.ts";
import { createStubNodeService, stubStatus } from "./stub-node-service.ts";

const { values } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: { data: { type: "string" }, api: { type: "string" }, listen: { type: "string" } },
});
const dataDir = String(values["data"]);
const behaviour = process.env["FAKE_NODE"] ?? "";
if (behaviour === "fails" && basename(dataDir) === "node2") {
  process.stderr.write("starting\ncumulo: the disk is on fire\n");
  process.exit(1);
}
if (behaviour === "fails-again" && existsSync(join(dataDir, "api-token"))) {
  process.stderr.write("cumulo: the disk is full now\n");
  process.exit(1);
}

const portIn = (address: unknown): number => Number(/\d+$/.exec(String(address))?.[0] ?? 0);

// A peer's name in the right alphabet, different for each data directory.
const digest = createHash("sha256").update(dataDir).digest("hex");
const peer = `12D3KooW${digest.replaceAll("0", "x").slice(0, 44)}`;
const token = `token-of-${basename(dataDir)}`;
const configured = new Set<string>();
const links = new Map<string, Link>();

const server = createApiServer(
  {
    node: createStubNodeService({
      status: async () => ({ ...stubStatus, node: { peer, multiaddrs: [] }, peers: configured.size }),
      addPeer: async (address) => {
        configured.add(address);
        return { address, peer: null };
      },
      links: async () => [...links.values()],
      setLink: async (name, request) => {
        const { out = null, in: into = null } = request.mode === "shape" ? request : {};
        const link: Link = { peer: name, mode: request.mode, out, in: into, untilMs: null };
        links.set(name, link);
        return link;
      },
      healLink: async (name) => links.delete(name),
    }),
    clock: realClock,
    timers: createRealTimers(),
    logger: silentLogger,
    metrics: createMemoryMetrics(),
  },
  {
    host: "127.0.0.1",
    port: portIn(values.api),
    token,
    apiRead: "token",
    hostNames: [],
    version: "0",
    run: String(process.pid),
  },
);
const stop = (): void => {
  if (behaviour === "stubborn") return;
  void server.close().then(() => process.exit(0));
};
process.on("SIGTERM", stop);
process.once("disconnect", () => void server.close().then(() => process.exit(0)));
mkdirSync(dataDir, { recursive: true });
writeFileSync(join(dataDir, "api-token"), token);
const api = await server.start();
if (behaviour !== "silent") {
  const multiaddrs = [`/ip4/127.0.0.1/tcp/${portIn(values.listen) || 4001}/p2p/${peer}`];
  writeFileSync(join(dataDir, "arguments"), process.argv.slice(2).join(" "));
  writeFileSync(join(dataDir, "node.json"), JSON.stringify({ pid: process.pid, api, multiaddrs }));
}
