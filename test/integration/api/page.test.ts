import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { get as httpGet, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { brotliCompressSync, brotliDecompressSync, gzipSync } from "node:zlib";
import { startApi } from "../../support/api-server.ts";
import { temporaryDirectory } from "../../support/temp-dir.ts";

const HTML = '<!doctype html><html lang="en"><title>Cumulo</title></html>';
/** As a node serves it. */
const SIGNED = HTML.replace("<html", '<html data-served="node"');
const SCRIPT = "document.title = 'x';".repeat(50);

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Not fetch, which unpacks and sets its own Host. */
function ask(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    httpGet(url, { headers, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    }).on("error", reject);
  });
}

function build(directory: string): void {
  mkdirSync(join(directory, "assets"), { recursive: true });
  const files = { "index.html": HTML, "assets/main-abc.js": SCRIPT };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory, name), text);
    writeFileSync(join(directory, `${name}.br`), brotliCompressSync(text));
    writeFileSync(join(directory, `${name}.gz`), gzipSync(text));
  }
}

async function startPage(t: TestContext, options: { host?: string } = {}): Promise<string> {
  const directory = await temporaryDirectory(t);
  build(directory);
  const { url } = await startApi(t, {}, { pageDirectory: directory, ...options });
  return url;
}

test("the page comes packed as its reader likes it, and forbids what it does not need", async (t) => {
  const url = await startPage(t);
  const { status, headers, body } = await ask(`${url}/`, { "accept-encoding": "gzip, br" });
  assert.equal(status, 200);
  assert.equal(brotliDecompressSync(body).toString(), SIGNED);
  assert.equal(headers["content-encoding"], "br");
  assert.equal(headers["content-type"], "text/html; charset=utf-8");
  assert.match(headers["content-security-policy"] as string, /default-src 'none'; script-src 'self';/);
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["cache-control"], "no-cache");
  const plain = await ask(`${url}/`, { "accept-encoding": "br;q=0" });
  assert.equal(plain.body.toString(), SIGNED);
  assert.notEqual(plain.headers.etag, headers.etag);
});

test("assets are kept for good, the page is asked for again and found unchanged", async (t) => {
  const url = await startPage(t);
  const script = await ask(`${url}/assets/main-abc.js`);
  assert.match(script.headers["cache-control"] ?? "", /immutable/);
  assert.equal(script.body.toString(), SCRIPT);
  const { headers } = await ask(`${url}/`);
  const again = await ask(`${url}/`, { "if-none-match": headers.etag as string });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
});

test("HEAD answers with the page's length and without the page", async (t) => {
  const url = await startPage(t);
  const { status, headers, body } = await ask(`${url}/`, {}, "HEAD");
  assert.equal(status, 200);
  assert.equal(Number(headers["content-length"]), SIGNED.length);
  assert.equal(body.length, 0);
});

test("a host name that is not this machine's gets no page", async (t) => {
  const url = await startPage(t);
  assert.equal((await ask(`${url}/`, { host: "evil.example" })).status, 421);
  assert.equal((await ask(`${url}/assets/main-abc.js`, { host: "evil.example" })).status, 421);
});

test("where reading needs the token the page is served without, and the API is not", async (t) => {
  const url = (await startPage(t, { host: "0.0.0.0" })).replace("0.0.0.0", "127.0.0.1");
  assert.equal((await ask(`${url}/`)).status, 200);
  assert.equal((await ask(`${url}/v1/status`)).status, 401);
});

test("nothing outside the build is served, and a file that is gone is told", async (t) => {
  const url = await startPage(t);
  for (const path of ["/assets/..%2Findex.html", "/assets/main-abc.js.br", "/assets/none.js"])
    assert.equal((await ask(`${url}${path}`)).status, 404, path);
});

test("without a build the page says how to build it, and is there as soon as it is built", async (t) => {
  const directory = await temporaryDirectory(t);
  const { url } = await startApi(t, {}, { pageDirectory: directory });
  const missing = await ask(`${url}/`);
  assert.equal(missing.status, 503);
  const { code, message } = JSON.parse(missing.body.toString()) as { code: string; message: string };
  assert.equal(code, "DASHBOARD_NOT_BUILT");
  assert.match(message, /run scripts\/build/);
  build(directory);
  assert.equal((await ask(`${url}/`)).status, 200);
});
