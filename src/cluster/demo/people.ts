import type { Client } from "../../client/index.ts";
import { UNITS_PER_COIN } from "../../primitives/index.ts";
import { sleep } from "../processes.ts";
import { prepareAccounts, type SentTransfer } from "../scenarios/index.ts";

/** Who plays, and at which node each of them sends. Mallory sends at both sides. */
export const PEOPLE = ["alice", "bob", "carol", "dave", "mallory"] as const;
export type PersonName = (typeof PEOPLE)[number];
const HOME: Readonly<Record<PersonName, number>> = { alice: 1, bob: 2, carol: 3, dave: 1, mallory: 1 };
/** Who pays whom in the background load. */
const PAYS: readonly (readonly [from: PersonName, to: PersonName])[] = [
  ["alice", "bob"],
  ["bob", "carol"],
  ["carol", "alice"],
  ["dave", "bob"],
];

/** What everybody owns at genesis, base units. */
const STARTING_COINS = 1_000 * UNITS_PER_COIN;
const LOAD_PAUSE_MS = 20;
/** The load ends by itself after so many transfers, whatever happens around it. */
const MAX_TRANSFERS = 4_000;

/** The people of the demo with their keys, and everything they sent. */
export interface People {
  readonly sent: readonly SentTransfer[];
  address(name: PersonName): string;
  /** Sends one transfer; `nonce` only to use one twice on purpose. Fails with the node's `ApiError`. */
  pay(transfer: {
    readonly from: PersonName;
    readonly to: PersonName;
    readonly amount: number;
    readonly node?: number;
    readonly nonce?: number;
  }): Promise<SentTransfer>;
  /** Pays in turn until the signal is aborted. */
  load(signal: AbortSignal): Promise<void>;
}

export interface JoinOptions {
  /** Hex chain id. */
  readonly chain: string;
  readonly node: (n: number) => Client;
}

/** Makes the keys in a cluster's directory; whoever wants to play on finds them there. */
export async function createPeople(directory: string): Promise<{
  readonly allocations: readonly { readonly address: string; readonly amount: number }[];
  join(options: JoinOptions): People;
}> {
  const amounts = Object.fromEntries(PEOPLE.map((name) => [name, STARTING_COINS]));
  const { allocations, open } = await prepareAccounts(directory, { amounts, loadSenders: 0 });
  return {
    allocations,
    join(options) {
      const accounts = open(options);
      const sent: SentTransfer[] = [];
      const pay: People["pay"] = async ({ from, to, amount, node = HOME[from], nonce }) => {
        const used = nonce === undefined ? {} : { nonce };
        const transfer = await accounts.pay({ from, to, amount, node, ...used });
        sent.push(transfer);
        return transfer;
      };
      return {
        sent,
        address: accounts.address,
        pay,
        async load(signal) {
          for (let i = 0; i < MAX_TRANSFERS && !signal.aborted; i++) {
            const [from, to] = PAYS[i % PAYS.length] ?? ["alice", "bob"];
            await pay({ from, to, amount: (1 + (i % 9)) * (UNITS_PER_COIN / 10) });
            await sleep(LOAD_PAUSE_MS);
          }
        },
      };
    },
  };
}
