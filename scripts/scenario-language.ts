/**
 * `npm run scenarios`: writes scenarios/schema.json, for editors, and the tables at the end of docs/scenarios.md, from the
 * definitions by which a scenario is read. A test holds both to them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { languageTables, scenarioSchema } from "../src/cluster/scenarios/schema.ts";

export const schemaFile: string = fileURLToPath(new URL("../scenarios/schema.json", import.meta.url));
export const languageFile: string = fileURLToPath(new URL("../docs/scenarios.md", import.meta.url));

const TABLES = "## The language, word by word";

export const renderSchema = (): string => `${JSON.stringify(scenarioSchema(), undefined, 2)}\n`;

/** The page with its tables as they must be: all below their heading is made here. */
export function renderLanguage(page: string): string {
  const [before = ""] = page.split(TABLES);
  const introduction =
    "Made by `npm run scenarios` from the definitions by which a file is read. Options in bold are needed.";
  return `${before}${TABLES}\n\n${introduction}\n\n${languageTables()}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(schemaFile, renderSchema());
  writeFileSync(languageFile, renderLanguage(readFileSync(languageFile, "utf8")));
}
