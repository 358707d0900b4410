import type { Commands } from "./commands.ts";
import type { Engine } from "./engine.ts";
import type { Project } from "./project.ts";
import type { Report } from "./report.ts";

/** What a chapter of the test works with. */
export interface Scene {
  readonly commands: Commands;
  readonly engine: Engine;
  readonly project: Project;
  readonly report: Report;
}
