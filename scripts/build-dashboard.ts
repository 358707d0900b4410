/**
 * Builds src/dashboard into dist/dashboard: the page with its assets, each also compressed, and report.html, which is
 * one file. Run by scripts/build and the other wrappers, and while an image is built.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src/dashboard");
const target = join(root, "dist/dashboard");
/** Beside the target, so that the swap is a rename. */
const work = join(root, `dist/.dashboard-${process.pid}`);

/** Browsers of the last two years; the client library iterates over streams. */
const BROWSERS = ["chrome124", "firefox115", "safari18"];

async function bundle(input: string, outDir: string): Promise<void> {
  await build({
    root: source,
    configFile: false,
    base: "./",
    logLevel: "warn",
    publicDir: false,
    build: {
      outDir,
      emptyOutDir: true,
      target: BROWSERS,
      modulePreload: { polyfill: false },
      // The page's policy lets nothing be inlined, and hashed files are cached for good.
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 1_000,
      rolldownOptions: { input: join(source, input) },
    },
  });
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

function compressAll(folder: string): void {
  for (const file of filesOf(folder)) {
    const bytes = readFileSync(file);
    writeFileSync(`${file}.br`, brotliCompressSync(bytes));
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
}

/** As a policy names what may run: the hash of exactly these characters. */
const policyHash = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** The report with its script and style in it: opened from a disk it can load nothing, and needs nothing. */
function inOneFile(folder: string): string {
  const read = (ending: string): string =>
    filesOf(folder)
      .filter((file) => file.endsWith(ending))
      .map((file) => readFileSync(file, "utf8"))
      .join("\n");
  // Inside a script element its own end must not stand, and "<!--" begins a comment of old.
  const script = read(".js").replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
  const style = read(".css").replaceAll("</style", "<\\/style");
  const policy = [
    "default-src 'none'",
    `script-src ${policyHash(script)}`,
    `style-src ${policyHash(style)}`,
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const html = readFileSync(join(folder, "report.html"), "utf8")
    .replace(/\s*<script type="module"[^>]*><\/script>/, "")
    .replace(/\s*<link rel="stylesheet"[^>]*>/, "");
  // As functions: a "$&" in the script is not to be taken for a pattern.
  return html
    .replace(
      "<title>",
      () => `<meta http-equiv="content-security-policy" content="${policy}" />\n    <title>`,
    )
    .replace("</head>", () => `  <style>${style}</style>\n  </head>`)
    .replace("</body>", () => `  <script type="module">${script}</script>\n  </body>`);
}

async function main(): Promise<void> {
  try {
    await bundle("index.html", join(work, "page"));
    compressAll(join(work, "page"));
    await bundle("report.html", join(work, "report"));
    writeFileSync(join(work, "page/report.html"), inOneFile(join(work, "report")));
    mkdirSync(join(root, "dist"), { recursive: true });
    rmSync(target, { recursive: true, force: true });
    renameSync(join(work, "page"), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

await main();
