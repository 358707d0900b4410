/**
 * `npm run types`: everything type-checks, the dashboard with the DOM, and the pure folders also do so without what Node
 * adds to the language.
 *
 * The second check would pass unnoticed if a dependency pulled Node's types in, so a planted file that uses Node's
 * globals is checked along with the pure folders, and each of them must be an error.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));
/** The daemon, and the page that runs in browsers. */
const projects = [
  { folder: "", cache: "types" },
  { folder: "src/dashboard", cache: "dashboard-types" },
];
const plant = `${root}test/fixtures/pure/globals.ts`;

export interface PureReport {
  /** Files of the pure folders that were checked. */
  files: number;
  /** Errors in them, formatted for people. */
  errors: string;
  /** Names in the planted file that should be unknown and are not. */
  leaked: string[];
}

/** Checks the pure folders and the planted file with tsconfig.pure.json, and `extra` files as if they were pure. */
export function checkPure(extra: string[] = []): PureReport {
  const host: ts.ParseConfigFileHost = {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"));
    },
  };
  const config = ts.getParsedCommandLineOfConfigFile(`${root}tsconfig.pure.json`, {}, host);
  if (config === undefined) throw new Error("tsconfig.pure.json could not be read");
  const pure = [...config.fileNames, ...extra];
  const program = ts.createProgram([...pure, plant], config.options);
  const diagnostics = ts.getPreEmitDiagnostics(program);
  // Pure folders take types from ports/, which may mention Node's: the other check judges those files.
  const mine = diagnostics.filter(({ file }) => file === undefined || pure.includes(file.fileName));
  const unknown = new Set(
    diagnostics
      .filter(({ file }) => file?.fileName === plant)
      .map(({ file, start = 0, length = 0 }) => file?.text.slice(start, start + length)),
  );
  return {
    files: pure.filter((name) => !name.endsWith(".d.ts")).length,
    errors: ts.formatDiagnosticsWithColorAndContext(mine, {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => root,
      getNewLine: () => "\n",
    }),
    leaked: plantedNames().filter((name) => !unknown.has(name)),
  };
}

function plantedNames(): string[] {
  const list = /planted = \[([^\]]+)\]/.exec(readFileSync(plant, "utf8"))?.[1];
  if (list === undefined) throw new Error(`${plant} does not list what it plants`);
  return list.split(",").map((name) => name.trim());
}

function main(): number {
  for (const project of projects) {
    const tsc = [
      `${root}node_modules/typescript/bin/tsc`,
      "-p",
      `${root}${project.folder}`,
      "--incremental",
      "--tsBuildInfoFile",
      `${root}node_modules/.cache/${project.cache}.tsbuildinfo`,
    ];
    if (spawnSync(process.execPath, tsc, { stdio: "inherit" }).status !== 0) return 1;
  }
  const { files, errors, leaked } = checkPure();
  if (errors !== "") console.error(errors);
  if (leaked.length > 0)
    console.error(
      `types: ${leaked.join(", ")} would type-check in a pure folder: something brings Node's or the browser's types ` +
        "into tsconfig.pure.json (`tsc -p tsconfig.pure.json --explainFiles` says what)",
    );
  if (files === 0) console.error("types: no pure files were found, so nothing was checked");
  if (errors !== "" || leaked.length > 0 || files === 0) return 1;
  console.log(
    `types: all well, ${files} pure files among them; ${plantedNames().length} planted names were refused`,
  );
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
