import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

interface Lockfile {
  packages: Record<
    string,
    { integrity?: string; resolved?: string; optionalDependencies?: Record<string, string> }
  >;
}

function files(folder: string): string[] {
  if (!existsSync(root + folder)) return [];
  return readdirSync(root + folder, { recursive: true, encoding: "utf8" })
    .map((name) => `${folder}/${name}`)
    .filter((name) => !name.includes("node_modules") && statSync(root + name).isFile());
}

const code = [...files("src"), ...files("test"), ...files("scripts")];
const lock = JSON.parse(readFileSync(`${root}package-lock.json`, "utf8")) as Lockfile;

test("no source file is longer than 400 lines", () => {
  const long = code
    .filter((name) => /\.(ts|tsx|mjs|sh)$/.test(name))
    .map((name) => ({ name, lines: readFileSync(root + name, "utf8").split("\n").length - 1 }))
    .filter(({ lines }) => lines > 400);
  assert.deepEqual(long, []);
});

test("no file mentions a path of somebody's own machine", () => {
  const path = /(?<![\w.$}/])\/(?:root|home\/\w+|Users\/\w+)\//;
  const top = readdirSync(root).filter((name) => statSync(root + name).isFile() && name !== ".git");
  const named = [...code, ...files("docs"), ...files(".ci"), ...top].filter((name) => {
    const text = readFileSync(root + name, "utf8");
    return path.test(text) || text.includes(root);
  });
  assert.deepEqual(named, []);
});

test("every package is locked by its hash and by no registry's address", () => {
  const loose = Object.entries(lock.packages)
    .filter(([name, entry]) => name !== "" && (entry.integrity === undefined || entry.resolved !== undefined))
    .map(([name]) => name);
  assert.deepEqual(loose, []);
});

test("every optional dependency of a locked package is locked, or npm ci would refuse the lockfile", () => {
  const missing = Object.entries(lock.packages).flatMap(([name, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (wanted) =>
        !(`node_modules/${wanted}` in lock.packages || `${name}/node_modules/${wanted}` in lock.packages),
    ),
  );
  assert.deepEqual(missing, []);
});
