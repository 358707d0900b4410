import type { Finding } from "../../api/index.ts";
import { count, finding, shortPeer } from "./chain-findings.ts";
import type { Facts } from "./facts.ts";

const MAX_NAMED = 20;
/** Before that it means nothing that nobody has come. */
const EXPECTED_VISIT_MS = 10 * 60_000;

/** An address without the name that it ends in: what differs is before that. */
const shortAddress = (text: string): string => text.replaceAll(/\/p2p\/\w+/g, "");

/** Why there is no connection; most reasons name the address themselves. */
function whyAway({ address, problem }: Facts["configured"][number]): string {
  const [where, why] = [shortAddress(address), shortAddress(problem ?? "not tried yet")];
  return why.includes(where) ? why : `${where}: ${why}`;
}

function noPeers({ peers, configured }: Facts): Finding[] {
  if (peers.length > 0) return [];
  const [first] = configured;
  if (first === undefined)
    return [
      finding(
        "NO_PEERS",
        "problem",
        "no peer is connected, and none is configured: this node sees nobody's blocks but its own",
        "cumulo peer add MULTIADDR, or start it with --peer MULTIADDR (another node's cumulo status shows where it listens)",
      ),
    ];
  if (configured.every(({ isRefused }) => isRefused))
    return [
      finding(
        "NO_PEERS",
        "warning",
        `no peer is connected: this node refuses ${configured.length === 1 ? "its configured peer" : `all ${configured.length} configured peers`}, as it was told to`,
        "end the split or the refusals: see LINKS_REFUSED",
      ),
    ];
  return [
    finding(
      "NO_PEERS",
      "problem",
      `no peer is connected: none of ${count(configured.length, "configured peer")} answers; ${whyAway(first)}`,
      "see to it that they run, that their addresses are right and that no firewall is between; they are dialled again by themselves",
      {
        configured: configured
          .slice(0, MAX_NAMED)
          .map(({ address, problem }) => ({ address, problem: problem ?? null })),
      },
    ),
  ];
}

function unreachable({ configured, peers }: Facts): Finding[] {
  // Those that are kept away on purpose are told of as links.
  const away = configured.filter(({ isConnected, isRefused }) => !isConnected && !isRefused);
  const [first] = away;
  // Where there is no peer at all, that says it.
  if (first === undefined || peers.length === 0) return [];
  return [
    finding(
      "PEER_UNREACHABLE",
      "warning",
      `${away.length} of ${count(configured.length, "configured peer")} not connected; ${whyAway(first)}`,
      "they are dialled for ever; remove those that are gone for good: cumulo peer remove MULTIADDR",
      {
        configured: away
          .slice(0, MAX_NAMED)
          .map(({ address, problem }) => ({ address, problem: problem ?? null })),
      },
    ),
  ];
}

function banned({ bans }: Facts): Finding[] {
  const [first] = bans;
  if (first === undefined) return [];
  return [
    finding(
      "PEERS_BANNED",
      "note",
      `${count(bans.length, "peer")} banned, ${first.subject.startsWith("12D3Koo") ? shortPeer(first.subject) : first.subject} among them: ${first.reason}`,
      "cumulo peer bans lists them; cumulo peer unban PEER ends one",
      { bans: bans.slice(0, MAX_NAMED) },
    ),
  ];
}

function links({ links: all }: Facts): Finding[] {
  const refused = all.filter(({ mode }) => mode === "refuse");
  const shaped = all.filter(({ mode }) => mode !== "refuse");
  const named = (some: Facts["links"]) => ({ links: some.slice(0, MAX_NAMED) });
  return [
    ...(refused.length === 0
      ? []
      : [
          finding(
            "LINKS_REFUSED",
            "warning",
            `this node refuses ${count(refused.length, "peer")}, as it was told to: a split, or by hand`,
            "cumulo cluster heal joins a split again; DELETE /v1/links/{peer} ends one refusal",
            named(refused),
          ),
        ]),
    ...(shaped.length === 0
      ? []
      : [
          finding(
            "LINKS_SHAPED",
            "note",
            `the links to ${count(shaped.length, "peer")} are shaped (delay, loss, rate or silence), as this node was told to`,
            "cumulo cluster heal, or DELETE /v1/links/{peer}, makes them whole",
            named(shaped),
          ),
        ]),
  ];
}

function port({ closedAddresses, isOpenToOthers, inboundEver, uptimeMs }: Facts): Finding[] {
  const [closed] = closedAddresses;
  if (closed !== undefined)
    return [
      finding(
        "PORT_CLOSED",
        "warning",
        `this node tells others to dial ${closed.address}, where this machine itself gets no connection: ${closed.problem}`,
        "forward that port to this node, or correct --announce; some routers refuse the way out and in again, so try it from outside too",
        { addresses: closedAddresses.slice(0, MAX_NAMED) },
      ),
    ];
  if (!isOpenToOthers || inboundEver > 0 || uptimeMs < EXPECTED_VISIT_MS) return [];
  return [
    finding(
      "NOBODY_CAME_IN",
      "note",
      "it listens for other machines, and none has connected since it started: a firewall may keep them out",
      "open the port in the firewall or router; docs/networking.md says how; a node without it works, but helps nobody to connect",
    ),
  ];
}

/** What is wrong between this node and its peers. */
export const peerFindings: readonly ((facts: Facts) => Finding[])[] = [
  noPeers,
  unreachable,
  port,
  links,
  banned,
];
