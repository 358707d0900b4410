import type { Client } from "../../client/index.ts";
import { createKeyStore, type Key, signTransaction } from "../../keys/index.ts";
import { hexToBytes, UNITS_PER_COIN } from "../../primitives/index.ts";
import { sleep } from "../processes.ts";

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
export const STARTING_COINS = 1_000 * UNITS_PER_COIN;
/** Far above the least for a transfer between existing accounts. */
const FEE = 1_000;
const EXPIRY_BLOCKS = 10_000;
const LOAD_PAUSE_MS = 20;
/** The load ends by itself after so many transfers, whatever happens around it. */
const MAX_TRANSFERS = 4_000;

/** A transfer that a node took. */
export interface SentTransfer {
  readonly id: string;
  readonly from: PersonName;
  readonly to: PersonName;
  readonly amount: number;
  /** The node it was handed to. */
  readonly node: number;
}

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

/** Makes the keys in a directory; whoever wants to play on finds them there. */
export async function createPeople(
  directory: string,
): Promise<{ addresses: Readonly<Record<PersonName, string>>; join: (options: JoinOptions) => People }> {
  const store = createKeyStore(directory);
  const keys = new Map<PersonName, Key>();
  for (const name of PEOPLE) keys.set(name, await store.create(name));
  const addresses = Object.fromEntries([...keys].map(([name, key]) => [name, key.address]));
  return { addresses: addresses as Record<PersonName, string>, join: (options) => join(keys, options) };
}

export interface JoinOptions {
  /** Hex chain id. */
  readonly chain: string;
  readonly node: (n: number) => Client;
}

function join(keys: ReadonlyMap<PersonName, Key>, { chain, node }: JoinOptions): People {
  const sent: SentTransfer[] = [];
  const nonces = new Map<PersonName, number>();
  const keyOf = (name: PersonName): Key => {
    const key = keys.get(name);
    if (key === undefined) throw new Error(`${name} has no key`);
    return key;
  };

  const pay: People["pay"] = async ({
    from,
    to,
    amount,
    node: n = HOME[from],
    nonce = nonces.get(from) ?? 0,
  }) => {
    const key = keyOf(from);
    const action = {
      selector: 0 as const,
      value: { to: keyOf(to).publicKey, amount, memo: new TextEncoder().encode(`${from} to ${to}`) },
    };
    const body = {
      chain: hexToBytes(chain),
      sender: key.publicKey,
      nonce,
      fee: FEE,
      expiry: EXPIRY_BLOCKS,
      action,
    };
    const transaction = signTransaction(body, key);
    await node(n).submit(transaction.bytes);
    nonces.set(from, nonce + 1);
    const transfer = { id: transaction.txid, from, to, amount, node: n };
    sent.push(transfer);
    return transfer;
  };

  return {
    sent,
    address: (name) => keyOf(name).address,
    pay,
    async load(signal) {
      for (let i = 0; i < MAX_TRANSFERS && !signal.aborted; i++) {
        const [from, to] = PAYS[i % PAYS.length] ?? ["alice", "bob"];
        await pay({ from, to, amount: (1 + (i % 9)) * (UNITS_PER_COIN / 10) });
        await sleep(LOAD_PAUSE_MS);
      }
    },
  };
}
