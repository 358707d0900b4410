import type { Network } from "../ports/index.ts";

/** Costs a peer its connection, with the reason in the log. Only for what the peer itself had to check, or made up. */
export type Punish = Network["punish"];
