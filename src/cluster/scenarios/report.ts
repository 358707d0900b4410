import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { PAGE_DIRECTORY } from "../../api/index.ts";
import { fileProblem, makePrivateDirectory, replaceWhole } from "../../files/index.ts";
import { ClusterError } from "../errors.ts";
import type { LabResult } from "./lab.ts";
import type { Scenario } from "./scenario.ts";

/** What a run leaves: report.json, and report.html to look at. */
export interface Report extends LabResult {
  readonly version: 1;
  readonly name: string;
  readonly about: string;
  /** The scenario's file, by its name. */
  readonly file: string;
  readonly seed: number;
}

export const reportOf = (
  scenario: Scenario,
  { file, seed }: { readonly file: string; readonly seed: number },
  result: LabResult,
): Report => ({
  version: 1,
  name: scenario.name,
  about: scenario.about,
  file: basename(file),
  seed,
  ...result,
});

/** JSON that can stand in a script element: nothing in it can end that, or begin a comment. */
export const scriptJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, "0");
    return `\\u${code}`;
  });

/** What the page shows: the recording, with the rest of the report beside it. */
function pageContent({ recording, ...report }: Report): unknown {
  const { name, startedMs, endedMs, nodes } = report;
  const empty = { version: 1, name, startedMs, endedMs, entries: [], reorgs: {} };
  const named = nodes.map(({ n, name: label, peer }) => ({ n, name: label, peer }));
  return { ...(recording ?? { ...empty, nodes: named }), report };
}

const PLACE = /(<script type="application\/json" id="recording">)[^<]*(<\/script>)/;

/** The report's page with its content; undefined where the page has no place for it. */
export function fillPage(page: string, content: unknown): string | undefined {
  if (!PLACE.test(page)) return undefined;
  const json = scriptJson(content);
  return page.replace(PLACE, (_, before: string, after: string) => before + json + after);
}

/** The page as `scripts/build` made it; undefined where it was not built. */
const readPage = (): Promise<string | undefined> =>
  readFile(join(PAGE_DIRECTORY, "report.html"), "utf8").catch(() => undefined);

/** Fails with `CLUSTER_SCENARIO_FAILED` where the directory cannot be made: asked before a run, not after it. */
export async function prepareReport(directory: string): Promise<void> {
  await makePrivateDirectory(directory).catch((error: unknown) => {
    const why = fileProblem(error, "no directory can be made there");
    const message = `cannot write a report into ${directory}: ${why}; choose another --report DIR`;
    throw new ClusterError("CLUSTER_SCENARIO_FAILED", message, { cause: error });
  });
}

/** Writes the report in place of an earlier one, and settles with the files; the page only where it was built. */
export async function writeReport(directory: string, report: Report): Promise<readonly string[]> {
  const json = join(directory, "report.json");
  await replaceWhole(json, `${JSON.stringify(report)}\n`);
  const page = await readPage();
  const filled = page === undefined ? undefined : fillPage(page, pageContent(report));
  if (filled === undefined) return [json];
  const html = join(directory, "report.html");
  await replaceWhole(html, filled);
  return [json, html];
}
