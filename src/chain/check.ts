import {
  type AccountRecord,
  applyBlock,
  buildStateTree,
  encodeUndo,
  type Genesis,
  type LedgerTotals,
} from "../ledger/index.ts";
import type { KeyValueStore } from "../ports/index.ts";
import { type Block, type BlockId, bytesToHex, equalBytes, type SealedHeader } from "../primitives/index.ts";
import { baseAccounts, problemOfBase, readBase, readPruned, rootOf, stateAccounts } from "./base.ts";
import { type BlockJudge, createBlockJudge } from "./block-judge.ts";
import { type BlockStore, createBlockStore } from "./block-store.ts";
import { checkJournal } from "./journal.ts";
import { checkIdentity } from "./recovery.ts";
import {
  type Base,
  decodeTotals,
  encodePlace,
  keys,
  SCHEMA_VERSION,
  stateWrites,
  type Table,
  tableRange,
} from "./schema.ts";
import type { SignatureVerifier } from "./signatures.ts";
import { readRows } from "./stored-rows.ts";

/** Findings listed; what is worse than that is no list's matter. */
const MAX_FINDINGS = 100;
/** Blocks that a node can ever take in, generously; their numbers go on from the highest. */
const MAX_ARRIVAL = 2 ** 48;
/** Rows compared per trip to the store. */
const ROWS_PER_READ = 1_000;

export type FindingCode =
  | "JOURNAL_BROKEN"
  | "BASE_DAMAGED"
  | "BLOCK_DAMAGED"
  | "BLOCK_INVALID"
  | "STATE_WRONG"
  | "SUPPLY_WRONG"
  | "INDEX_WRONG"
  | "UNDO_DAMAGED";

/** Something in the database that should not be so. */
export interface Finding {
  readonly code: FindingCode;
  readonly detail: string;
}

export interface CheckReport {
  readonly height: number;
  readonly head: BlockId;
  /** Whole blocks of the best chain, and the transactions in them. */
  readonly blocks: number;
  readonly transactions: number;
  /** Blocks of other branches. */
  readonly sideBlocks: number;
  /** Lowest height from which on blocks are whole; 0 unless some were pruned. */
  readonly firstHeight: number;
  readonly accounts: number;
  /** Base units. */
  readonly supply: { readonly issued: number; readonly burned: number; readonly balances: number };
  /** What could not be checked as there is nothing to hold it to, in words. */
  readonly unchecked: readonly string[];
  /** Empty where all is well; at most 100. */
  readonly findings: readonly Finding[];
}

export interface CheckOptions {
  /** Where given, every signature is verified too. */
  readonly signatures?: SignatureVerifier;
  /** Unix ms; where given, blocks may not be further ahead of it than those of peers. */
  readonly nowMs?: number;
  readonly onProgress?: (height: number, of: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads a whole database and changes nothing: the chain of batches, every block of the best chain against every rule,
 * those of other branches against every rule that needs no state, the state replayed from genesis, or from the base of a
 * pruned one, against the stored accounts, pages and sums, and the indexes. Memory grows with the number of accounts.
 * Fails with a `ChainError` where there is no database of this network, or one of another schema.
 */
export async function checkChain(
  store: KeyValueStore,
  genesis: Genesis,
  options: CheckOptions = {},
): Promise<CheckReport> {
  await checkIdentity(store, genesis, { only: SCHEMA_VERSION });
  return await new ChainCheck(store, genesis, options).run();
}

class ChainCheck {
  readonly #store: KeyValueStore;
  readonly #genesis: Genesis;
  readonly #options: CheckOptions;
  readonly #blocks: BlockStore;
  readonly #judge: BlockJudge;
  readonly #findings: Finding[] = [];
  readonly #unchecked: string[] = [];
  readonly #accounts: Map<string, AccountRecord>;
  #totals: LedgerTotals;
  #transactions = 0;

  constructor(store: KeyValueStore, genesis: Genesis, options: CheckOptions) {
    this.#store = store;
    this.#genesis = genesis;
    this.#options = options;
    this.#blocks = createBlockStore(store);
    this.#judge = createBlockJudge(genesis, options.signatures, options.nowMs);
    this.#accounts = new Map(genesis.state.accounts.map((account) => [account.key, account]));
    this.#totals = genesis.state.totals;
  }

  async run(): Promise<CheckReport> {
    const journal = await checkJournal(this.#store);
    if (journal.last === undefined || journal.stranded.length > 0)
      this.#find("JOURNAL_BROKEN", `${journal.stranded.length} batches follow a gap`);
    const headId = await this.#store.get(keys.meta("head"));
    const head = headId === undefined ? this.#genesis.block.header.id : bytesToHex(headId);
    await this.#compareGenesis();
    if ((await this.#store.get(keys.meta("reindex"))) !== undefined) {
      const goesOn = "as a reindex was interrupted; the next one, or a start of the node, goes on with it";
      this.#unchecked.push(`what the blocks above the head do to the state, ${goesOn}`);
    }
    const ids = await this.#pathTo(head);
    const base = await readBase(this.#store);
    if (await this.#startAt(base, ids)) {
      await this.#replay(ids.slice(base?.height ?? 0), base);
      await this.#compareState();
      await this.#comparePlaceCount(base);
    }
    const sideBlocks = await this.#judgeSideBranches(ids, base);
    let balances = 0;
    for (const { balance } of this.#accounts.values()) balances += balance;
    const { issued, burned } = this.#totals;
    if (balances + burned !== issued)
      this.#find("SUPPLY_WRONG", `balances ${balances} and burned ${burned} are not the ${issued} issued`);
    return {
      height: ids.length,
      head,
      blocks: Math.max(0, ids.length + 1 - (base?.height ?? 0)),
      transactions: this.#transactions,
      sideBlocks,
      firstHeight: base === undefined ? 0 : base.height + 1,
      accounts: this.#accounts.size,
      supply: { issued, burned, balances },
      unchecked: this.#unchecked,
      findings: this.#findings,
    };
  }

  /**
   * Goes to where the replay begins: genesis, or the base, up to which there are headers only. False where the base is
   * damaged: then the accounts are those of the head as they are, held to its state root.
   */
  async #startAt(base: Base | undefined, ids: readonly BlockId[]): Promise<boolean> {
    if (base === undefined) return true;
    await this.#judgeHeaders(ids.slice(0, base.height));
    this.#unchecked.push(`of the blocks from 1 to ${base.height}, which were pruned, all but the headers`);
    const isOnWay = ids[base.height - 1] === base.block;
    const problem = isOnWay
      ? await problemOfBase(this.#store, base)
      : `its block ${base.block} is not in the best chain`;
    const rows = problem === undefined ? baseAccounts(this.#store, base) : stateAccounts(this.#store);
    const totalsRow = await this.#store.get(keys.meta("totals"));
    this.#totals = problem === undefined || totalsRow === undefined ? base.totals : decodeTotals(totalsRow);
    this.#accounts.clear();
    await forEachAccount(rows, (account) => this.#accounts.set(account.key, account)).catch(() => {});
    if (problem === undefined) return true;
    this.#find("BASE_DAMAGED", problem);
    this.#unchecked.push("what the blocks did to the state, as their replay has nowhere to begin");
    const header = await this.#blocks.header(ids.at(-1) ?? "").catch(() => undefined);
    const root = await rootOf(stateAccounts(this.#store), this.#totals);
    if (root === undefined || header === undefined || !equalBytes(root, header.header.core.stateRoot))
      this.#find("STATE_WRONG", "the accounts are not the state that the head names");
    return false;
  }

  async #judgeHeaders(ids: readonly BlockId[]): Promise<void> {
    let parent = this.#genesis.block.header;
    let grandparent: SealedHeader | undefined;
    for (const id of ids) {
      this.#options.signal?.throwIfAborted();
      const header = await this.#blocks.header(id).catch(() => undefined);
      // That it is there was seen on the way to it.
      if (header === undefined) return;
      const problem = this.#judge.header(header, parent, grandparent);
      if (problem !== undefined) return this.#find("BLOCK_INVALID", `block ${id}: ${problem}`);
      [grandparent, parent] = [parent, header];
    }
  }

  /**
   * The blocks beside the best chain, which is `best` from the block after genesis on, against every rule that needs no
   * state: whatever executes them later holds them to the others. Says how many there are.
   */
  async #judgeSideBranches(best: readonly BlockId[], base: Base | undefined): Promise<number> {
    const onBest = new Set(best);
    const { rows, damaged } = await readRows(this.#store);
    for (const id of damaged)
      if (!onBest.has(id)) this.#find("BLOCK_DAMAGED", `the row of block ${id} cannot be read`);
    const known = new Set(rows.map(({ block }) => block.id)).add(this.#genesis.block.header.id);
    const rooted = new Set([this.#genesis.block.header.id, ...best].slice(base?.height ?? 0));
    let count = 0;
    for (const { block } of rows) {
      const { id, parent, arrival } = block;
      if (arrival > MAX_ARRIVAL)
        this.#find("BLOCK_DAMAGED", `block ${id} came as number ${arrival}, which is no count of blocks`);
      if (onBest.has(id)) continue;
      if (!rooted.has(parent)) {
        // An interrupted pruning leaves rows of branches from below the base, which the next start deletes.
        if (base === undefined || !known.has(parent))
          this.#find("BLOCK_DAMAGED", `block ${id} has no way to genesis`);
        continue;
      }
      this.#options.signal?.throwIfAborted();
      rooted.add(id);
      count++;
      const problem = await this.#problemOfSideBlock(id);
      if (problem !== undefined) this.#find(problem.code, problem.detail);
    }
    return count;
  }

  async #problemOfSideBlock(id: BlockId): Promise<Finding | undefined> {
    const header = (of: BlockId) => this.#blocks.header(of).catch(() => undefined);
    const block = await this.#blocks.block(id).catch(() => undefined);
    const parent = block && (await header(block.header.parent));
    if (block === undefined || parent === undefined)
      return { code: "BLOCK_DAMAGED", detail: `the data of block ${id} is missing or damaged` };
    const isFirst = parent.id === this.#genesis.block.header.id;
    return await this.#problemOf(block, parent, isFirst ? undefined : await header(parent.parent));
  }

  async #problemOf(
    block: Block,
    parent: SealedHeader,
    grandparent: SealedHeader | undefined,
  ): Promise<Finding | undefined> {
    const { id } = block.header;
    const problem = await this.#judge.block(block, parent, grandparent);
    if (problem !== undefined) return { code: "BLOCK_INVALID", detail: `block ${id}: ${problem}` };
    const row = await this.#blocks.stored(id);
    return row?.transactions === block.transactions.length && row.bodyBytes === block.bodyBytes.length
      ? undefined
      : { code: "BLOCK_DAMAGED", detail: `the row of block ${id} does not fit its data` };
  }

  async #comparePlaceCount(base: Base | undefined): Promise<void> {
    // An interrupted pruning has left some of the pruned blocks', which the next start deletes.
    if (base !== undefined && (await readPruned(this.#store)) <= base.height) return;
    const places = await this.#count("transactions");
    if (places !== this.#transactions)
      this.#find(
        "INDEX_WRONG",
        `${places} transactions are indexed; the best chain has ${this.#transactions}`,
      );
  }

  #find(code: FindingCode, detail: string): void {
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push({ code, detail });
  }

  async #compareGenesis(): Promise<void> {
    const { header, bodyBytes } = this.#genesis.block;
    const stored = await this.#blocks.block(header.id).catch(() => undefined);
    if (stored === undefined || !equalBytes(stored.bodyBytes, bodyBytes))
      this.#find("BLOCK_DAMAGED", "the data of the genesis block is missing or damaged");
  }

  /** Ids from the block after genesis up to the head; only those after the last that is missing. */
  async #pathTo(head: BlockId): Promise<BlockId[]> {
    const ids: BlockId[] = [];
    for (let id = head; id !== this.#genesis.block.header.id; ) {
      const header = await this.#blocks.header(id).catch(() => undefined);
      if (header === undefined) {
        this.#find("BLOCK_DAMAGED", `the header of block ${id} is missing or damaged`);
        return [];
      }
      ids.push(id);
      id = header.parent;
    }
    return ids.reverse();
  }

  async #replay(ids: readonly BlockId[], base: Base | undefined): Promise<void> {
    const start = [...this.#accounts.values()].sort((a, b) => a.index - b.index);
    const tree = buildStateTree({ accounts: start, totals: this.#totals });
    let parent = (base && (await this.#blocks.header(base.block))) ?? this.#genesis.block.header;
    let grandparent = base && (await this.#blocks.header(parent.parent));
    for (const [i, id] of ids.entries()) {
      this.#options.signal?.throwIfAborted();
      const block = await this.#blocks.block(id).catch(() => undefined);
      if (block === undefined)
        return this.#find("BLOCK_DAMAGED", `the data of block ${id} is missing or damaged`);
      const problem = await this.#problemOf(block, parent, grandparent);
      if (problem !== undefined) return this.#find(problem.code, problem.detail);
      const execution = applyBlock(this.#genesis.spec, this.#accounts, this.#totals, block);
      if (!execution.ok)
        return this.#find("BLOCK_INVALID", `block ${id}: ${execution.code}, ${execution.detail}`);
      const { change } = execution;
      for (const account of change.accounts) this.#accounts.set(account.key, account);
      this.#totals = change.totals;
      tree.prepare(change).commit();
      tree.drain();
      if (!equalBytes(tree.root, block.header.header.core.stateRoot))
        return this.#find("BLOCK_INVALID", `block ${id}: STA-01, another state root than its replay has`);
      // What of it the state root does not cover, say which accounts vanish, shows nowhere else.
      const undo = await this.#store.get(keys.undo(id));
      if (undo === undefined || !equalBytes(undo, encodeUndo(change.undo)))
        this.#find("UNDO_DAMAGED", `the undo data of block ${id} is missing, or not what its replay has`);
      await this.#comparePlaces(block);
      this.#transactions += block.transactions.length;
      [grandparent, parent] = [parent, block.header];
      this.#options.onProgress?.(i + 1, ids.length);
    }
  }

  /** Accounts, their indices, pages and sums, row by row. */
  async #compareState(): Promise<void> {
    const accounts = [...this.#accounts.values()].sort((a, b) => a.index - b.index);
    const tree = buildStateTree({ accounts, totals: this.#totals });
    const expected = stateWrites(accounts, tree.drain());
    for (let from = 0; from < expected.length; from += ROWS_PER_READ) {
      const part = expected.slice(from, from + ROWS_PER_READ);
      const rows = await this.#store.getMany(part.map(({ key }) => key));
      part.forEach(({ key, value }, i) => {
        const row = rows[i];
        if (row === undefined || value === undefined || !equalBytes(row, value))
          this.#find("STATE_WRONG", `row ${bytesToHex(key)} is not what the replay has`);
      });
    }
    const found =
      (await this.#count("accounts")) + (await this.#count("accountIndices")) + (await this.#count("pages"));
    if (found !== expected.length)
      this.#find("STATE_WRONG", `${found} rows of state where the replay has ${expected.length}`);
    const row = await this.#store.get(keys.meta("totals"));
    const totals = row && decodeTotals(row);
    for (const name of ["accounts", "issued", "burned"] as const)
      if (totals?.[name] !== this.#totals[name])
        this.#find("STATE_WRONG", `${name} is ${totals?.[name]}, and ${this.#totals[name]} by replay`);
  }

  async #comparePlaces({ header, transactions }: Block): Promise<void> {
    const rows = await this.#store.getMany(transactions.map(({ txid }) => keys.transaction(txid)));
    transactions.forEach(({ txid }, i) => {
      const row = rows[i];
      if (row === undefined || !equalBytes(row, encodePlace(header.idBytes, i)))
        this.#find(
          "INDEX_WRONG",
          `transaction ${txid} of block ${header.id} has another place in the index, or none`,
        );
    });
  }

  async #count(table: Table): Promise<number> {
    let count = 0;
    for await (const _ of this.#store.scan(tableRange(table))) count++;
    return count;
  }
}

async function forEachAccount(
  batches: AsyncIterable<readonly AccountRecord[]>,
  use: (account: AccountRecord) => unknown,
): Promise<void> {
  for await (const batch of batches) for (const account of batch) use(account);
}
