/** The wrappers in scripts/, in a small checkout of their own, with an npm that installs nothing but this Node. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const scripts = fileURLToPath(new URL("../../../scripts/", import.meta.url));
const system = "/usr/local/bin:/usr/bin:/bin";

interface Checkout {
  root: string;
  run(options?: { path?: string; from?: string; command?: string }): Result;
  installs(): number;
}

interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
}

function executable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** A checkout whose demo prints its arguments as JSON, in a folder with a space in its name. */
function checkout(
  t: TestContext,
  npm = 'mkdir -p node_modules/.bin && ln -s "$REAL_NODE" node_modules/.bin/node',
): Checkout {
  const base = mkdtempSync(join(tmpdir(), "cumulo wrappers "));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const root = join(base, "my checkout");
  const bin = join(base, "bin");
  for (const folder of [bin, join(root, "scripts"), join(root, "src/cli")])
    mkdirSync(folder, { recursive: true });
  for (const name of ["lib.sh", "demo"]) copyFileSync(scripts + name, join(root, "scripts", name));
  writeFileSync(join(root, "package-lock.json"), "{}\n");
  writeFileSync(
    join(root, "src/cli/demo.ts"),
    "const args: string[] = process.argv.slice(2);\nconsole.log(JSON.stringify(args));\n",
  );
  executable(join(bin, "npm"), `#!/bin/sh\necho "npm says hello"\necho run >>"${base}/installs"\n${npm}\n`);
  executable(join(bin, "node"), "#!/bin/sh\necho v20.20.2\n");
  return {
    root,
    run({ path = `${bin}:${system}`, from = tmpdir(), command = join(root, "scripts/demo") } = {}) {
      const env = { PATH: path, HOME: base, REAL_NODE: process.execPath };
      return spawnSync(command, ["--json", "two words"], { cwd: from, env, encoding: "utf8" });
    },
    installs: () =>
      existsSync(`${base}/installs`) ? readFileSync(`${base}/installs`, "utf8").trim().split("\n").length : 0,
  };
}

const printed = '["--json","two words"]\n';

test("the first run installs and then runs, and only the program writes to stdout", (t) => {
  const { run } = checkout(t);
  const { status, stdout, stderr } = run();
  assert.equal(stdout, printed);
  assert.match(stderr, /installing dependencies/);
  assert.equal(status, 0);
});

test("the second run neither installs nor says anything", (t) => {
  const { run, installs } = checkout(t);
  run();
  assert.deepEqual(
    { ...pick(run()), installs: installs() },
    { status: 0, stdout: printed, stderr: "", installs: 1 },
  );
});

test("a changed lockfile is installed, one that is merely newer is not", (t) => {
  const { root, run, installs } = checkout(
    t,
    'mkdir -p node_modules/.bin && ln -sf "$REAL_NODE" node_modules/.bin/node',
  );
  run();
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(root, "package-lock.json"), later, later);
  run();
  assert.equal(installs(), 1);
  writeFileSync(join(root, "package-lock.json"), '{ "changed": true }\n');
  run();
  assert.equal(installs(), 2);
});

const npmWithVite =
  'mkdir -p node_modules/.bin node_modules/vite && ln -s "$REAL_NODE" node_modules/.bin/node && echo {} >node_modules/vite/package.json';

/** A checkout with a dashboard, whose build is the program given. */
function dashboardCheckout(t: TestContext, build: string): Checkout {
  const made = checkout(t, npmWithVite);
  mkdirSync(join(made.root, "src/dashboard"), { recursive: true });
  writeFileSync(join(made.root, "src/dashboard/main.tsx"), "one\n");
  writeFileSync(join(made.root, "scripts/build-dashboard.ts"), build);
  return made;
}

const BUILD = `import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
mkdirSync(new URL("../dist/dashboard", import.meta.url), { recursive: true });
writeFileSync(new URL("../dist/dashboard/index.html", import.meta.url), "built");
appendFileSync(new URL("../dist/builds", import.meta.url), "x");
`;

test("the dashboard is built once, and again when a source of it has changed or is gone", (t) => {
  const { root, run } = dashboardCheckout(t, BUILD);
  const builds = (): number => readFileSync(join(root, "dist/builds"), "utf8").length;
  assert.match(run().stderr, /building the dashboard/);
  assert.deepEqual(pick(run()), { status: 0, stdout: printed, stderr: "" });
  assert.equal(builds(), 1);
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(root, "src/dashboard/main.tsx"), later, later);
  run();
  assert.equal(builds(), 1);
  writeFileSync(join(root, "src/dashboard/main.tsx"), "two\n");
  run();
  assert.equal(builds(), 2);
  rmSync(join(root, "src/dashboard/main.tsx"));
  run();
  assert.equal(builds(), 3);
  rmSync(join(root, "dist/dashboard"), { recursive: true });
  run();
  assert.equal(builds(), 4);
});

test("a dashboard that cannot be built stops nothing, and is tried again only when its sources change", (t) => {
  const { root, run } = dashboardCheckout(t, "throw new Error('no way');\n");
  const first = run();
  assert.deepEqual([first.status, first.stdout], [0, printed]);
  assert.match(first.stderr, /no way[\s\S]*the dashboard could not be built; the daemon runs without it/);
  assert.equal(existsSync(join(root, ".install-lock")), false);
  assert.deepEqual(pick(run()), { status: 0, stdout: printed, stderr: "" });
  writeFileSync(join(root, "scripts/build-dashboard.ts"), BUILD);
  assert.match(run().stderr, /building the dashboard/);
  assert.equal(existsSync(join(root, "build.log")), false);
  assert.ok(existsSync(join(root, "dist/dashboard/index.html")));
});

test("a wrapper works through a chain of symlinks", (t) => {
  const { root, run } = checkout(t);
  symlinkSync("my checkout/scripts/demo", join(root, "../first"));
  symlinkSync(join(root, "../first"), join(root, "../second"));
  assert.equal(run({ command: join(root, "../second") }).stdout, printed);
});

test("a failed install is one sentence after npm's own last lines, and leaves no lock", (t) => {
  const { root, run } = checkout(t, "exit 1");
  const { status, stdout, stderr } = run();
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /npm says hello\ncumulo: installing dependencies failed; [^\n]+\n$/);
  assert.equal(existsSync(join(root, ".install-lock")), false);
});

test("without npm the wrapper says so in one sentence", (t) => {
  const { root, run } = checkout(t);
  const tools = join(root, "tools");
  mkdirSync(tools);
  for (const tool of ["dirname", "readlink", "cmp", "find"]) {
    const place = system.split(":").find((folder) => existsSync(join(folder, tool)));
    if (place !== undefined) symlinkSync(join(place, tool), join(tools, tool));
  }
  const { status, stderr } = run({ path: tools });
  assert.equal(status, 1);
  assert.match(stderr, /^cumulo: npm was not found; [^\n]+\n$/);
});

test("with no Node that is new enough the wrapper says so in one sentence", (t) => {
  const { run } = checkout(t, "mkdir node_modules");
  const { status, stderr } = run();
  assert.equal(status, 1);
  assert.match(stderr, /\ncumulo: no Node\.js >= 22\.18 [^\n]+\n$/);
});

test("two first runs at once install once and both run", async (t) => {
  const { root, installs } = checkout(t);
  const path = `${join(root, "../bin")}:${system}`;
  const both = [1, 2].map(async () => {
    const child = spawn(join(root, "scripts/demo"), { env: { PATH: path, REAL_NODE: process.execPath } });
    return new Promise((resolve) => child.on("close", resolve));
  });
  assert.deepEqual(await Promise.all(both), [0, 0]);
  assert.equal(installs(), 1);
});

test("the lock of a run that died is taken over", (t) => {
  const { root, run, installs } = checkout(t);
  const gone = spawnSync("true").pid;
  mkdirSync(join(root, ".install-lock"));
  writeFileSync(join(root, ".install-lock/wrapper"), `${gone}\n`);
  assert.equal(run().stdout, printed);
  assert.equal(installs(), 1);
});

function pick({ status, stdout, stderr }: Result): Result {
  return { status, stdout, stderr };
}
