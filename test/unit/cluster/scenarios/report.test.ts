import assert from "node:assert/strict";
import { test } from "node:test";
import { fillPage, scriptJson } from "../../../../src/cluster/scenarios/report.ts";

const PAGE = '<html><script type="application/json" id="recording"></script><script>run()</script></html>';

test("nothing in a report can end its script element, begin a comment, or be taken for a pattern", () => {
  const hostile = { name: "</script><script>alert(1)</script><!-- $& $1 \u2028 & é", nested: ["]]>", "<"] };
  const page = fillPage(PAGE, hostile) ?? assert.fail("no place");
  const [, json = ""] = /id="recording">([^<]*)<\/script>/.exec(page) ?? [];
  assert.deepEqual(JSON.parse(json), hostile);
  assert.equal(page.match(/<script/g)?.length, 2);
  assert.doesNotMatch(scriptJson(hostile), /[<>&\u2028]/);
});

test("a page that was filled once takes another report, and one without a place takes none", () => {
  const once = fillPage(PAGE, { a: 1 }) ?? "";
  assert.equal(fillPage(once, { a: 2 }), fillPage(PAGE, { a: 2 }));
  assert.equal(fillPage("<html></html>", {}), undefined);
});
