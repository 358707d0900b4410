/** What scripts/compose-test shows where there is an engine, held to its rules also where there is none. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const read = (name: string): string => readFileSync(root + name, "utf8");
/** Lines of a file that say something to the program that reads it. */
const linesOf = (name: string): string[] =>
  read(name)
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));

test("docker-compose.yml uses nothing that Compose 1.29 refuses", () => {
  const refused = /^\s*(?:include|develop|start_interval|dockerfile_inline|configs):|^name:/;
  assert.deepEqual(
    linesOf("docker-compose.yml").filter((line) => refused.test(line)),
    [],
  );
});

test("every port that docker-compose.yml publishes is on loopback", () => {
  const ports = linesOf("docker-compose.yml").filter((line) => line.includes("ports:"));
  assert.equal(ports.length, 3);
  for (const line of ports) assert.match(line, /ports: \["127\.0\.0\.1:[^",]+:7070"\]$/);
});

test("every node of docker-compose.yml dials both others, by their names", () => {
  const text = read("docker-compose.yml");
  for (const [node, ...others] of [
    ["node1", "node2", "node3"],
    ["node2", "node1", "node3"],
    ["node3", "node1", "node2"],
  ]) {
    const service = new RegExp(`^  ${node}:\\n    <<[^]+?\\n\\n`, "m").exec(text)?.[0] ?? "";
    const peers = [...service.matchAll(/--peer \/dns4\/(\w+)\/tcp\/4001/g)].map(([, name]) => name);
    assert.deepEqual(peers, others);
  }
});

test("the Dockerfile needs no BuildKit, and ends as a user that is not root", () => {
  const text = read("Dockerfile");
  assert.doesNotMatch(text, /^# *syntax=|<<|^RUN --/m);
  const users = linesOf("Dockerfile").filter((line) => line.startsWith("USER "));
  assert.deepEqual(users, ["USER node"]);
});

test("what the Dockerfile copies is in the build context, and the context holds nothing else", () => {
  const copied = linesOf("Dockerfile")
    .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
    .flatMap((line) => line.split(" ").slice(1, -1));
  const [everything, ...exceptions] = linesOf(".dockerignore");
  assert.equal(everything, "*");
  assert.deepEqual(exceptions.map((line) => line.slice(1)).toSorted(), [...new Set(copied)].toSorted());
  for (const name of copied) assert.ok(existsSync(root + name), name);
});
