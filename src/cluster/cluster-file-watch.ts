import type { Logger } from "../ports/index.ts";
import { type ClusterFile, readClusterFile } from "./cluster-file.ts";

/**
 * Looks, each time it is called, whether cluster.json still names this supervisor, and ends the cluster where not: every
 * command finds the cluster through that file, so when somebody removes it by hand, nobody could ever end the nodes.
 */
export function createFileWatch(
  deps: { readonly logger: Logger; end(): Promise<void> },
  directory: string,
  pid: number,
): () => Promise<void> {
  // Told once, not at every look.
  let unreadable = "";
  return async () => {
    let file: ClusterFile | undefined;
    try {
      file = await readClusterFile(directory);
    } catch (error) {
      // Out of descriptors, say: that nobody can read it now does not mean that it is gone.
      const why = error instanceof Error ? error.message : String(error);
      if (why !== unreadable) deps.logger.warn({ directory, error: why }, "cluster.json could not be read");
      unreadable = why;
      return;
    }
    unreadable = "";
    if (file?.supervisor.pid === pid) return;
    deps.logger.warn(
      { directory },
      "cluster.json is gone or names no longer this supervisor, so the cluster ends",
    );
    await deps.end();
  };
}
