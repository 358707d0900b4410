import { MIN_PRUNE_DEPTH } from "../chain/index.ts";
import { isDialable, isTcpAddress } from "../network/index.ts";
import { type ChainSpec, decodeAddress, SUPPORTED_RULES_VERSION } from "../primitives/index.ts";
import { NodeError, type NodeOptions } from "./options.ts";

/** The address that is to get the rewards; undefined: a key of the node's own. */
export function givenReward({ rewardTo }: NodeOptions): Uint8Array | undefined {
  if (rewardTo === undefined) return undefined;
  const key = decodeAddress(rewardTo);
  if (key !== undefined) return key;
  throw new NodeError("NODE_REWARD_INVALID", `${rewardTo} is not an address (cum1...)`);
}

/** What was typed as an address and can never be one: dialling it for ever would help nobody. */
export function checkAddresses({ peers, listen, announce }: NodeOptions): void {
  const refuse = (option: string, address: string, what: string): never => {
    throw new NodeError("NODE_ADDRESS_INVALID", `${option} ${address}: ${what}`);
  };
  for (const address of peers)
    if (!isDialable(address))
      refuse(
        "--peer",
        address,
        "a peer's address has a port above 0, and after /p2p/ a whole peer's name or nothing",
      );
  for (const address of listen)
    if (!isTcpAddress(address) || address.includes("/p2p/"))
      refuse("--listen", address, "it must be like /ip4/0.0.0.0/tcp/4001; the node adds its own name");
  for (const address of announce)
    if (!isDialable(address))
      refuse("--announce", address, "it must be like /ip4/203.0.113.5/tcp/4001, as others reach this node");
}

/** A network whose rules this program does not know, now or at a later height, must not be judged by those it knows. */
export function refuseUnsupported({ engine, activations }: ChainSpec): void {
  if (engine !== "pow") {
    throw new NodeError(
      "NODE_ENGINE_UNSUPPORTED",
      `engine ${engine} is not available in this version; use pow`,
    );
  }
  const unknown = activations.find(({ rulesVersion }) => rulesVersion > SUPPORTED_RULES_VERSION);
  if (unknown !== undefined) {
    throw new NodeError(
      "NODE_RULES_UNSUPPORTED",
      `the network switches to rules version ${unknown.rulesVersion} at height ${unknown.height}, and this program knows versions up to ${SUPPORTED_RULES_VERSION}; use a newer cumulo`,
    );
  }
}

/** Peers that were away for a while ask for what came meanwhile: a node without it would be of no use to them. */
export function checkPruneDepth({ pruneDepth }: NodeOptions): void {
  if (pruneDepth === undefined || pruneDepth >= MIN_PRUNE_DEPTH) return;
  const message = `--prune ${pruneDepth}: a node keeps at least ${MIN_PRUNE_DEPTH} blocks; name a greater depth`;
  throw new NodeError("NODE_PRUNE_TOO_SHALLOW", message);
}
