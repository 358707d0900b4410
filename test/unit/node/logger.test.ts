import assert from "node:assert/strict";
import { test } from "node:test";
import { prettyFactory } from "pino-pretty";
import { terminalFormat } from "../../../src/ports/index.ts";

const entry = JSON.stringify({
  level: 30,
  time: "2026-01-01T10:20:30.400Z",
  module: "api",
  url: "http://127.0.0.1:7070",
  listens: ["/ip4/127.0.0.1/tcp/1"],
  msg: "API listens",
});

test("in a terminal a log entry is one line: time, level, module, message, fields", () => {
  const line = prettyFactory(terminalFormat({ NO_COLOR: "1" }))(entry);
  assert.match(
    line,
    /^\[\d\d:\d\d:30\] INFO: api: API listens \{"url":"http:\/\/127\.0\.0\.1:7070","listens":\["\/ip4\/127\.0\.0\.1\/tcp\/1"\]\}\n$/,
  );
});

test("a terminal's log has colours unless NO_COLOR is set", () => {
  assert.ok(prettyFactory(terminalFormat({}))(entry).includes("\u001b["));
  assert.ok(!prettyFactory(terminalFormat({ NO_COLOR: "" }))(entry).includes("\u001b["));
});
