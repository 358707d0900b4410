/** The demo's story: what `scripts/demo` shows, without a word about how it looks. */
export type { FateCounts } from "./fates.ts";
export { PEOPLE, type People } from "./people.ts";
export { type Branch, type DemoEvents, type DemoOptions, type DemoResult, runDemo } from "./story.ts";
