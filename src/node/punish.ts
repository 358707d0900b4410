import type { Logger, Network } from "../ports/index.ts";

/** Costs a peer its connection, with the reason in the log. Only for what the peer itself had to check, or made up. */
export type Punish = (peer: string, reason: string) => void;

export function createPunish({
  network,
  logger,
}: {
  readonly network: Network;
  readonly logger: Logger;
}): Punish {
  return (peer, reason) => {
    logger.warn({ peer, reason }, "a peer broke the rules and loses its connection");
    network.disconnect(peer, reason).catch((error: unknown) => {
      logger.error({ peer, error: String(error) }, "a peer could not be disconnected");
    });
  };
}
