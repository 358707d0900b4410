import type { AttackRole } from "../api/index.ts";
import { HONEST, type Presence, type PresenceDeps } from "./presence.ts";

/** The code of the roles is loaded only where one was asked for at the start, and nothing asks for one later. */
export async function choosePresence(role: AttackRole | undefined, deps: PresenceDeps): Promise<Presence> {
  if (role === undefined) return HONEST;
  const { createAttack } = await import("./attacks/index.ts");
  return createAttack(role, deps);
}
