import type { TestContext } from "node:test";
import { type ApiServerOptions, createApiServer, type NodeService } from "../../src/api/index.ts";
import { createMemoryMetrics, silentLogger } from "../../src/ports/index.ts";
import { createRealTimers, realClock } from "./real-time.ts";
import { createStubNodeService, type StubNodeService } from "./stub-node-service.ts";

export const TOKEN = "test-token-0123456789";

/** A real HTTP server in front of a stub node; closed when the test ends. */
export async function startApi(
  t: Pick<TestContext, "after">,
  node: Partial<NodeService> = {},
  options: Partial<ApiServerOptions> = {},
): Promise<{ url: string; node: StubNodeService; close: () => Promise<void> }> {
  const service = createStubNodeService(node);
  const server = createApiServer(
    {
      node: service,
      clock: realClock,
      timers: createRealTimers(),
      logger: silentLogger,
      metrics: createMemoryMetrics(),
    },
    {
      host: "127.0.0.1",
      port: 0,
      token: TOKEN,
      apiRead: "token",
      hostNames: [],
      version: "0.0.0-test",
      run: Date.now().toString(36),
      ...options,
    },
  );
  const url = await server.start();
  t.after(() => server.close());
  return { url, node: service, close: () => server.close() };
}
