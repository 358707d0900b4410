import type { Command } from "commander";
import { addClusterDoctor } from "./doctor.ts";
import { addLifecycle } from "./lifecycle.ts";
import { addLogs } from "./logs.ts";
import { addNetwork } from "./network.ts";
import { addNodes } from "./nodes.ts";
import { addObservation } from "./observe.ts";
import { addScenarios } from "./scenario.ts";

export function addCluster(program: Command): void {
  const cluster = program
    .command("cluster")
    .description("several nodes on this machine, to watch forks and reorgs");
  addLifecycle(cluster);
  addNodes(cluster);
  addLogs(cluster);
  addClusterDoctor(cluster);
  addNetwork(cluster);
  addScenarios(cluster);
  addObservation(cluster);
}
