/**
 * Files that are a node's or a cluster's own: written whole or not at all, readable by their owner only, read within a
 * bound, and words for why one cannot be used; and whether the process that a file names still runs. It knows no format; whoever has one reads and writes it.
 *
 * Loads nothing but Node.js itself: every command of the CLI starts with it.
 */
export { makePrivateDirectory, removeDirectories } from "./private-directory.ts";
export { askPs, lookOnLinux, processStart } from "./process-look.ts";
export {
  createWhole,
  fileProblem,
  readBounded,
  readBytes,
  removeUnfinished,
  replaceWhole,
} from "./whole-file.ts";
