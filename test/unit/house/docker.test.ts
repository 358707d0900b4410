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
  assert.equal(ports.length, 5);
  for (const line of ports) assert.match(line, /ports: \["127\.0\.0\.1:[^",]+:(?:7070|9090|3000)"\]$/);
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

test("Prometheus and Grafana start only when asked for, in exact versions, and read files that are here", () => {
  const text = read("docker-compose.yml");
  for (const name of ["prometheus", "grafana"]) {
    const service = new RegExp(`^  ${name}:\\n    image[^]+?\\n\\n`, "m").exec(text)?.[0] ?? "";
    assert.match(service, /^ {4}profiles: \[observability\]$/m, name);
    assert.match(service, /image: \$\{[A-Z]+_IMAGE:-[\w/]+:v?\d+\.\d+\.\d+\}$/m, name);
    const mounted = [...service.matchAll(/"\.\/([^:]+):[^:]+:ro"/g)].map(([, path = ""]) => path);
    assert.ok(mounted.length > 0, name);
    for (const path of mounted) assert.ok(existsSync(root + path), path);
  }
});

test("Grafana has no account whose password everybody knows, and whoever looks may change nothing", () => {
  const text = read("docker-compose.yml");
  for (const setting of [
    'GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: "true"',
    'GF_AUTH_BASIC_ENABLED: "false"',
    "GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer",
  ])
    assert.ok(text.includes(setting), setting);
  assert.doesNotMatch(text, /GF_SECURITY_ADMIN_PASSWORD/);
});

test("Prometheus asks every node of docker-compose.yml, and Grafana asks Prometheus, by their names and ports", () => {
  const nodes = [...read("docker-compose.yml").matchAll(/^ {2}(node\d+):\n/gm)].map(([, name]) => name);
  const targets = /names: \[(.*)\]/.exec(read("deploy/prometheus.yml"))?.[1]?.split(", ");
  assert.deepEqual(targets, [...new Set(nodes)]);
  const source = read("deploy/grafana/provisioning/datasources/prometheus.yml");
  assert.match(source, /url: http:\/\/prometheus:9090$/m);
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
