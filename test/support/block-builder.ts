import { ContainerType } from "@chainsafe/ssz";
import { meetsTarget, nextDifficulty } from "../../src/consensus/index.ts";
import type { Key } from "../../src/keys/index.ts";
import { keyFromSeed, signTransaction } from "../../src/keys/index.ts";
import {
  type AccountRecord,
  accountValue,
  createGenesis,
  createTransition,
  type Genesis,
  type LedgerTotals,
} from "../../src/ledger/index.ts";
import {
  AccountsSsz,
  assembleBlock,
  type Block,
  type BlockId,
  Bytes32,
  type ChainSpec,
  encodeBody,
  type GenesisJson,
  type HeaderCore,
  hexToBytes,
  type SealedTransaction,
  sealHeader,
  sha256,
  specFromJson,
  transactionsRoot,
  Uint64,
  ZERO_32,
} from "../../src/primitives/index.ts";

const COIN = 100_000_000;

/** A key that is the same in every run; `name` is only a seed. */
export function keyOf(name: string): Key {
  return keyFromSeed(sha256(new TextEncoder().encode(`test key ${name}`)));
}

/** A spec for tests: 16 tries a block, and 1,000 coins each for alice, bob and carol. */
export function testGenesis(overrides: Partial<GenesisJson> = {}): Genesis {
  const allocations = ["alice", "bob", "carol"].map((name) => ({
    address: keyOf(name).address,
    amount: 1_000 * COIN,
  }));
  const parsed = specFromJson({ name: "test", difficultyBits: 4, allocations, ...overrides });
  if (!parsed.ok) throw new Error(parsed.problem);
  return createGenesis(parsed.spec);
}

export interface TransferOptions {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
  readonly nonce: number;
  readonly fee?: number;
  readonly expiry?: number;
  readonly memo?: string;
  readonly chain?: Uint8Array;
}

export function transfer(genesis: Genesis, options: TransferOptions): SealedTransaction {
  const {
    from,
    to,
    amount,
    nonce,
    fee = 20_000,
    expiry = 1_000_000,
    memo = "",
    chain = genesis.chainId,
  } = options;
  const key = keyOf(from);
  const action = {
    selector: 0 as const,
    value: { to: keyOf(to).publicKey, amount, memo: new TextEncoder().encode(memo) },
  };
  return signTransaction({ chain, sender: key.publicKey, nonce, fee, expiry, action }, key);
}

/** The state vector by its definition; the full recomputation that the incremental tree is held to. */
const zeroSlots = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`zero${i}`, Bytes32] as const));
const StateVector = new ContainerType({
  accounts: AccountsSsz,
  issued: Uint64,
  burned: Uint64,
  ...zeroSlots,
});

export function referenceStateRoot(accounts: readonly AccountRecord[], totals: LedgerTotals): Uint8Array {
  const zeros = Object.fromEntries(Object.keys(zeroSlots).map((name) => [name, ZERO_32]));
  const value = {
    accounts: accounts.map(accountValue),
    issued: totals.issued,
    burned: totals.burned,
    ...zeros,
  };
  return StateVector.hashTreeRoot(value as ReturnType<typeof StateVector.defaultValue>);
}

interface Snapshot {
  readonly block: Block;
  readonly accounts: ReadonlyMap<string, AccountRecord>;
  readonly totals: LedgerTotals;
}

export interface BuildOptions {
  readonly parent?: BlockId;
  readonly transactions?: readonly SealedTransaction[];
  readonly proposer?: string;
  readonly timestampMs?: number;
  /** Changes the core after everything else was computed, before mining. */
  readonly tweak?: (core: HeaderCore) => HeaderCore;
  /** Leaves out transactions' execution, to build blocks that break the rules of *connect*. */
  readonly skipExecution?: boolean;
  /** A header that misses its target, instead of one that meets it. */
  readonly unmined?: boolean;
}

/** Builds blocks on any block it built before, from a plain model of the state. */
export interface BlockBuilder {
  readonly genesis: Genesis;
  /** The block built last, or genesis. */
  readonly tip: BlockId;
  build(options?: BuildOptions): Block;
  /** `count` empty blocks on top of each other. */
  extend(count: number, options?: BuildOptions): Block[];
  account(block: BlockId, name: string): AccountRecord | undefined;
}

export function mineHeader(core: HeaderCore, met = true): ReturnType<typeof sealHeader> {
  for (let nonce = 0; ; nonce++) {
    const header = sealHeader({ core, nonce });
    if (meetsTarget(header.idBytes, core.difficulty) === met) return header;
  }
}

export function createBlockBuilder(genesis: Genesis): BlockBuilder {
  const spec: ChainSpec = genesis.spec;
  const snapshots = new Map<BlockId, Snapshot>();
  let tip = genesis.block.header.id;
  snapshots.set(tip, {
    block: genesis.block,
    accounts: new Map(genesis.state.accounts.map((account) => [account.key, account])),
    totals: genesis.state.totals,
  });

  function snapshot(id: BlockId): Snapshot {
    const found = snapshots.get(id);
    if (found === undefined) throw new Error(`block ${id} was not built here`);
    return found;
  }

  function build(options: BuildOptions = {}): Block {
    const { parent = tip, transactions = [], proposer = "miner", unmined = false } = options;
    const before = snapshot(parent);
    const parentCore = before.block.header.header.core;
    const height = parentCore.height + 1;
    const grandparent =
      height === 1 ? undefined : snapshot(before.block.header.parent).block.header.header.core;
    const proposerKey = keyOf(proposer).publicKey;
    const transition = createTransition(spec, before.accounts, before.totals, height);
    for (const transaction of options.skipExecution ? [] : transactions) {
      const verdict = transition.apply(transaction);
      if (!verdict.ok) throw new Error(verdict.detail);
    }
    const change = transition.finish(proposerKey);
    const accounts = new Map(before.accounts);
    for (const account of change.accounts) accounts.set(account.key, account);
    const inOrder = [...accounts.values()].sort((a, b) => a.index - b.index);
    const core: HeaderCore = {
      rulesVersion: 1,
      chain: genesis.chainId,
      height,
      parent: hexToBytes(parent),
      timestampMs: options.timestampMs ?? parentCore.timestampMs + spec.intervalMs,
      transactionsRoot: transactionsRoot(transactions),
      stateRoot: referenceStateRoot(inOrder, change.totals),
      proposer: proposerKey,
      difficulty: nextDifficulty(spec, parentCore, grandparent),
      engineRoot: ZERO_32,
      extra: ZERO_32,
    };
    const header = mineHeader(options.tweak?.(core) ?? core, !unmined);
    const block = assembleBlock(header, encodeBody(transactions, new Uint8Array()));
    snapshots.set(header.id, { block, accounts, totals: change.totals });
    tip = header.id;
    return block;
  }

  return {
    genesis,
    get tip() {
      return tip;
    },
    build,
    extend(count, options = {}) {
      const { parent = tip, ...rest } = options;
      const blocks: Block[] = [];
      for (let i = 0, on = parent; i < count; i++) {
        const block = build({ ...rest, parent: on });
        blocks.push(block);
        on = block.header.id;
      }
      return blocks;
    },
    account: (block, name) =>
      snapshot(block).accounts.get(Buffer.from(keyOf(name).publicKey).toString("hex")),
  };
}
