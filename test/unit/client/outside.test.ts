/** The client library where it is not at home: in a browser, and in other people's programs. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createContext, runInContext } from "node:vm";
import { build } from "vite";
import type { Status } from "../../../src/api/index.ts";
import type * as library from "../../../src/client/index.ts";
import { startApi, TOKEN } from "../../support/api-server.ts";
import { stubStatus } from "../../support/stub-node-service.ts";
import { createTempDir } from "../../support/temp-dir.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const run = promisify(execFile);

/** What every browser has, of what the library may use. */
const BROWSER_GLOBALS = [
  "AbortController",
  "AbortSignal",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "URLSearchParams",
  "clearTimeout",
  "crypto",
  "fetch",
  "performance",
  "setTimeout",
] as const;

async function bundled(): Promise<string> {
  const result = await build({
    root,
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: false,
      lib: { entry: join(root, "src/client/index.ts"), formats: ["iife"], name: "cumulo" },
    },
  });
  const [output] = [result].flat();
  assert.ok(output !== undefined && "output" in output);
  assert.equal(output.output.length, 1);
  return output.output[0].code;
}

test("the client library runs with nothing but what a browser has: calls, errors and events", async (t) => {
  const code = await bundled();
  assert.doesNotMatch(code, /"node:|\brequire\(|__vite-browser-external/);
  const globals = Object.fromEntries(BROWSER_GLOBALS.map((name) => [name, globalThis[name]]));
  const context = createContext(globals);
  runInContext(`${code}\nglobalThis.cumulo = cumulo;`, context);
  const { createClient } = context["cumulo"] as typeof library;
  const { url, node } = await startApi(t);
  const client = createClient({ url, token: TOKEN });
  assert.deepEqual(JSON.parse(JSON.stringify(await client.status())) as Status, stubStatus);
  await assert.rejects(client.block("zz"), { name: "ApiError" });
  const stop = new AbortController();
  const events = client.events(stop.signal, {
    onConnected: () =>
      node.emit({ type: "peer", data: { peer: "p", connected: true, reason: null, timeMs: 1, sequence: 1 } }),
  });
  const { value } = await events.next();
  assert.equal(value?.type, "peer");
  stop.abort();
  assert.equal((await events.next()).done, true);
});

test("another program uses cumulo/client from a linked checkout, with its types", async (t) => {
  const { path, remove } = await createTempDir();
  t.after(remove);
  await mkdir(join(path, "node_modules"));
  // As `npm install ../cumulo` does.
  await symlink(root, join(path, "node_modules/cumulo"));
  await writeFile(join(path, "package.json"), '{ "type": "module" }');
  const program = `import { createClient, type Status } from "cumulo/client";
const client = createClient({ url: process.argv[2] ?? "" });
const status: Status = await client.status();
const height: number = status.head.height;
console.log(height);
// @ts-expect-error -- the height is no text: types come through, and not as any.
const text: string = status.head.height;
`;
  await writeFile(join(path, "program.ts"), program);
  const { url } = await startApi(t);
  const { stdout } = await run(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    join(path, "program.ts"),
    url,
  ]);
  assert.equal(stdout.trim(), "12");
  const options = {
    module: "nodenext",
    target: "es2024",
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
  };
  await writeFile(
    join(path, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["program.ts"] }),
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, "-p", path]);
});
