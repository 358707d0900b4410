import fc from "fast-check";
import {
  type AccountRecord,
  createTransition,
  type Genesis,
  type LedgerTotals,
  type StateChange,
  type Undo,
} from "../../src/ledger/index.ts";
import type { SealedTransaction } from "../../src/primitives/index.ts";
import { keyOf, transfer } from "./block-builder.ts";

/** The state as plain data, for ledgers without a store. */
export interface PlainState {
  readonly accounts: Map<string, AccountRecord>;
  totals: LedgerTotals;
}

export function genesisState(genesis: Genesis): PlainState {
  return {
    accounts: new Map(genesis.state.accounts.map((account) => [account.key, account])),
    totals: genesis.state.totals,
  };
}

export function inIndexOrder(state: PlainState): AccountRecord[] {
  return [...state.accounts.values()].sort((a, b) => a.index - b.index);
}

export function applyChange(state: PlainState, change: StateChange): void {
  for (const account of change.accounts) state.accounts.set(account.key, account);
  state.totals = change.totals;
}

export function applyUndo(state: PlainState, undo: Undo): void {
  for (const account of undo.restored) state.accounts.set(account.key, account);
  for (const key of undo.created) state.accounts.delete(key);
  state.totals = undo.before;
}

const NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

/** One attempted transfer; most succeed, some overspend or use a wrong nonce. */
export const attempt = fc.record(
  {
    from: fc.nat(NAMES.length - 1),
    to: fc.nat(NAMES.length - 1),
    share: fc.oneof(fc.nat(100), fc.nat(1_300)),
    fee: fc.integer({ min: 200, max: 40_000 }),
    nonceOff: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1) }),
    proposer: fc.nat(NAMES.length - 1),
  },
  { noNullPrototype: true },
);
export type Attempt = {
  from: number;
  to: number;
  share: number;
  fee: number;
  nonceOff: number;
  proposer: number;
};

export interface RandomBlock {
  readonly change: StateChange;
  readonly accepted: readonly SealedTransaction[];
  readonly proposer: string;
}

/** Executes one block of attempts on the state (not applied to it). */
export function executeAttempts(
  genesis: Genesis,
  state: PlainState,
  attempts: readonly Attempt[],
  height: number,
): RandomBlock {
  const transition = createTransition(genesis.spec, state.accounts, state.totals, height);
  const nonces = new Map<string, number>();
  const accepted: SealedTransaction[] = [];
  for (const { from, to, share, fee, nonceOff } of attempts) {
    const name = NAMES[from] ?? "alice";
    const key = Buffer.from(keyOf(name).publicKey).toString("hex");
    const account = state.accounts.get(key);
    const nonce = (nonces.get(name) ?? account?.nonce ?? 0) + nonceOff;
    const amount = Math.max(1, Math.floor(((account?.balance ?? 1_000) * share) / 1_000));
    const transaction = transfer(genesis, { from: name, to: NAMES[to] ?? "bob", amount, nonce, fee });
    if (!transition.apply(transaction).ok) continue;
    nonces.set(name, nonce + 1);
    accepted.push(transaction);
  }
  const proposer = NAMES[attempts[0]?.proposer ?? 0] ?? "alice";
  return { change: transition.finish(keyOf(proposer).publicKey), accepted, proposer };
}
