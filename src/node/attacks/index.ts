/**
 * Attacks: parts that a node can be told to play against its peers, so that one sees, in a network of one's own, how honest
 * nodes hold. Each is a variant of the node's presence among its peers; nothing else of the node knows of them.
 *
 * Invariants: reached by the option of `node start` alone; an honest node loads none of this; everything that a role
 * keeps or sends is bounded.
 */
import type { AttackRole } from "../../api/index.ts";
import type { Presence, PresenceDeps } from "../presence.ts";
import { createEquivocate } from "./equivocate.ts";
import { createHeaderSpam } from "./header-spam.ts";
import { createSelfishMiner } from "./selfish-miner.ts";
import { createStall } from "./stall.ts";
import { createWithhold } from "./withhold.ts";

const ROLES: Readonly<Record<AttackRole, (deps: PresenceDeps) => Presence>> = {
  withhold: createWithhold,
  "selfish-miner": createSelfishMiner,
  stall: createStall,
  equivocate: createEquivocate,
  "header-spam": createHeaderSpam,
};

export function createAttack(role: AttackRole, deps: PresenceDeps): Presence {
  const logger = deps.logger.child({ module: "attack" });
  logger.warn(
    { role },
    "THIS NODE ATTACKS ITS PEERS: it was started with --attack; use it in test networks only",
  );
  return ROLES[role]({ ...deps, logger });
}
