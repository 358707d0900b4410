import type { Command } from "commander";
import { diagnoseDirectory, tellDiagnosis } from "../doctor.ts";
import { inDirectory, type Options } from "./shared.ts";

export function addClusterDoctor(cluster: Command): void {
  inDirectory(cluster.command("doctor"))
    .description("why nodes are stuck or apart: each node's findings, and what only the whole shows")
    .addHelpText(
      "after",
      "\nExit code 0: no problems, 1: problems found.\n\nExample:\n  cumulo cluster doctor --json",
    )
    .action(async ({ dir, json }: Options) => tellDiagnosis(await diagnoseDirectory(dir), json === true));
}
