import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadScenario } from "./read.ts";

const DIRECTORY = fileURLToPath(new URL("../../../scenarios", import.meta.url));

/** A scenario that comes along. */
export interface ShippedScenario {
  /** As `cluster run` takes it. */
  readonly name: string;
  readonly file: string;
  readonly title: string;
  readonly about: string;
  readonly nodes: number;
}

const ENDING = ".yaml";

export async function shippedScenarios(): Promise<readonly ShippedScenario[]> {
  const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith(ENDING)).sort();
  return Promise.all(
    files.map(async (name) => {
      const file = join(DIRECTORY, name);
      const { name: title, about, nodes } = await loadScenario(file);
      return { name: name.slice(0, -ENDING.length), file, title, about, nodes: nodes.length };
    }),
  );
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** The file that is meant: one that is there, else the scenario of that name that comes along, else as it was typed. */
export async function findScenario(typed: string): Promise<string> {
  if ((await isThere(typed)) || !/^[a-z0-9-]+$/.test(typed)) return typed;
  const shipped = join(DIRECTORY, `${typed}${ENDING}`);
  return (await isThere(shipped)) ? shipped : typed;
}
