import { join } from "node:path";
import type { Client } from "../../client/index.ts";
import { createKeyStore, type Key, keyFromSeed, signTransaction } from "../../keys/index.ts";
import { hexToBytes, UNITS_PER_COIN } from "../../primitives/index.ts";
import type { SeededRandom } from "./random.ts";

/** Far above the least for a transfer between existing accounts. */
const FEE = 1_000;
/** Nobody waits for so many blocks. */
const EXPIRY_BLOCKS = 100_000;
/** What each of the load's senders owns at genesis, base units: enough for the longest load. */
const LOAD_COINS = 1_000 * UNITS_PER_COIN;

/** A transfer that a node took. */
export interface SentTransfer {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly from: string;
  readonly to: string;
  /** Base units. */
  readonly amount: number;
  /** The node it was handed to. */
  readonly node: number;
}

export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
  readonly node: number;
  /** Only to use one twice on purpose; default: the next that this account has not used. */
  readonly nonce?: number;
}

/** Accounts that own coins at genesis, with their keys. */
export interface Accounts {
  address(name: string): string;
  /** The next nonce that an account has not used. */
  nextNonce(name: string): number;
  /** Sends one transfer. Fails with the node's `ApiError`. */
  pay(transfer: Transfer): Promise<SentTransfer>;
}

export interface PreparedAccounts {
  readonly allocations: readonly { readonly address: string; readonly amount: number }[];
  open(network: { readonly chain: string; readonly node: (n: number) => Client }): Accounts;
}

/**
 * Makes the keys in `keys` of a cluster's directory, where whoever plays on finds them; `loadSenders` of them are those
 * that a load uses, so that it needs no funding.
 */
export async function prepareAccounts(
  directory: string,
  wanted: { readonly amounts: Readonly<Record<string, number>>; readonly loadSenders: number },
  random?: SeededRandom,
): Promise<PreparedAccounts> {
  const store = createKeyStore(join(directory, "keys"));
  const keys = new Map<string, Key>();
  const allocations: { address: string; amount: number }[] = [];
  const load = Array.from({ length: wanted.loadSenders }, (_, i) => [`load-${i + 1}`, LOAD_COINS] as const);
  for (const [name, amount] of [...Object.entries(wanted.amounts), ...load]) {
    const key = await store.create(name, random === undefined ? {} : { key: keyFromSeed(random.bytes(32)) });
    keys.set(name, key);
    allocations.push({ address: key.address, amount });
  }
  return { allocations, open: (network) => openAccounts(keys, network) };
}

function openAccounts(
  keys: ReadonlyMap<string, Key>,
  { chain, node }: { readonly chain: string; readonly node: (n: number) => Client },
): Accounts {
  const nonces = new Map<string, number>();
  const keyOf = (name: string): Key => {
    const key = keys.get(name);
    if (key === undefined) throw new Error(`${name} has no key`);
    return key;
  };
  const nextNonce = (name: string): number => nonces.get(name) ?? 0;
  return {
    address: (name) => keyOf(name).address,
    nextNonce,
    async pay({ from, to, amount, node: n, nonce = nextNonce(from) }) {
      const key = keyOf(from);
      const memo = new TextEncoder().encode(`${from} to ${to}`).subarray(0, 64);
      const action = { selector: 0 as const, value: { to: keyOf(to).publicKey, amount, memo } };
      const transaction = signTransaction(
        {
          chain: hexToBytes(chain),
          sender: key.publicKey,
          nonce,
          fee: FEE,
          expiry: EXPIRY_BLOCKS,
          action,
        },
        key,
      );
      await node(n).submit(transaction.bytes);
      nonces.set(from, Math.max(nextNonce(from), nonce + 1));
      return { id: transaction.txid, bytes: transaction.bytes, from, to, amount, node: n };
    },
  };
}
