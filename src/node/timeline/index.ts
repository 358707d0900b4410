/**
 * What this node saw, and when: numbered entries of blocks, heads, reorgs, peers and links, in a store beside the chain.
 * Nothing of the chain depends on it: it is bounded, never waited for by an import, and off where it cannot be written.
 */
export { openTimelineLog, type TimelineLog } from "./log.ts";
export { createTimelineRecorder, type HeaderSource, type TimelineRecorder } from "./recorder.ts";
export { openTimeline, type Timeline } from "./timeline.ts";
