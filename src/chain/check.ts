import { checkBodySanity, checkHeaderContext, checkHeaderSanity } from "../consensus/index.ts";
import {
  type AccountRecord,
  applyBlock,
  buildStateTree,
  checkTransactionSanity,
  type Genesis,
  type LedgerTotals,
} from "../ledger/index.ts";
import type { KeyValueStore } from "../ports/index.ts";
import { type Block, type BlockId, bytesToHex, equalBytes, type SealedHeader } from "../primitives/index.ts";
import { type BlockStore, createBlockStore } from "./block-store.ts";
import { checkJournal } from "./journal.ts";
import { checkIdentity } from "./recovery.ts";
import {
  decodeTotals,
  encodePlace,
  keys,
  SCHEMA_VERSION,
  stateWrites,
  type Table,
  tableRange,
} from "./schema.ts";
import type { SignatureVerifier } from "./signatures.ts";

/** Findings listed; what is worse than that is no list's matter. */
const MAX_FINDINGS = 100;
/** Rows compared per trip to the store. */
const ROWS_PER_READ = 1_000;

export type FindingCode =
  | "JOURNAL_BROKEN"
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
  readonly blocks: number;
  readonly transactions: number;
  readonly accounts: number;
  /** Base units. */
  readonly supply: { readonly issued: number; readonly burned: number; readonly balances: number };
  /** Empty where all is well; at most 100. */
  readonly findings: readonly Finding[];
}

export interface CheckOptions {
  /** Where given, every signature is verified too. */
  readonly signatures?: SignatureVerifier;
  readonly onProgress?: (height: number, of: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads a whole database and changes nothing: the chain of batches, every block of the best chain against every rule, the
 * state replayed from genesis against the stored accounts, pages and sums, and the indexes. Memory grows with the number of
 * accounts. Fails with a `ChainError` where there is no database of this network, or one of another schema.
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
  readonly #findings: Finding[] = [];
  readonly #accounts: Map<string, AccountRecord>;
  #totals: LedgerTotals;
  #transactions = 0;

  constructor(store: KeyValueStore, genesis: Genesis, options: CheckOptions) {
    this.#store = store;
    this.#genesis = genesis;
    this.#options = options;
    this.#blocks = createBlockStore(store);
    this.#accounts = new Map(genesis.state.accounts.map((account) => [account.key, account]));
    this.#totals = genesis.state.totals;
  }

  async run(): Promise<CheckReport> {
    const journal = await checkJournal(this.#store);
    if (journal.last === undefined || journal.stranded.length > 0)
      this.#find("JOURNAL_BROKEN", `${journal.stranded.length} batches follow a gap`);
    const headId = await this.#store.get(keys.meta("head"));
    const head = headId === undefined ? this.#genesis.block.header.id : bytesToHex(headId);
    const ids = await this.#pathTo(head);
    await this.#replay(ids);
    await this.#compareState();
    const places = await this.#count("transactions");
    if (places !== this.#transactions)
      this.#find(
        "INDEX_WRONG",
        `${places} transactions are indexed; the best chain has ${this.#transactions}`,
      );
    let balances = 0;
    for (const { balance } of this.#accounts.values()) balances += balance;
    const { issued, burned } = this.#totals;
    if (balances + burned !== issued)
      this.#find("SUPPLY_WRONG", `balances ${balances} and burned ${burned} are not the ${issued} issued`);
    return {
      height: ids.length,
      head,
      blocks: ids.length + 1,
      transactions: this.#transactions,
      accounts: this.#accounts.size,
      supply: { issued, burned, balances },
      findings: this.#findings,
    };
  }

  #find(code: FindingCode, detail: string): void {
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push({ code, detail });
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

  async #replay(ids: readonly BlockId[]): Promise<void> {
    const tree = buildStateTree(this.#genesis.state);
    let parent = this.#genesis.block.header;
    let grandparent: SealedHeader | undefined;
    for (const [i, id] of ids.entries()) {
      this.#options.signal?.throwIfAborted();
      const block = await this.#blocks.block(id).catch(() => undefined);
      if (block === undefined)
        return this.#find("BLOCK_DAMAGED", `the data of block ${id} is missing or damaged`);
      const problem = await this.#judge(block, parent, grandparent);
      if (problem !== undefined) return this.#find("BLOCK_INVALID", `block ${id}: ${problem}`);
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
      await this.#blocks.undo(id).catch(() => this.#find("UNDO_DAMAGED", `the undo data of block ${id}`));
      await this.#comparePlaces(block);
      this.#transactions += block.transactions.length;
      [grandparent, parent] = [parent, block.header];
      this.#options.onProgress?.(i + 1, ids.length);
    }
  }

  /** The first rule that the block breaks, in words. */
  async #judge(
    block: Block,
    parent: SealedHeader,
    grandparent: SealedHeader | undefined,
  ): Promise<string | undefined> {
    const { spec, chainId } = this.#genesis;
    const placed = (header: SealedHeader) => ({ id: header.id, ...header.header.core });
    const verdicts = [
      checkHeaderSanity({ spec, chainId }, block.header),
      checkBodySanity(spec, block),
      // A stored block was not too far ahead of the clock when it came.
      checkHeaderContext(
        spec,
        block.header,
        placed(parent),
        grandparent && placed(grandparent),
        Number.MAX_SAFE_INTEGER - spec.driftMs,
      ),
      ...block.transactions.map((one) => checkTransactionSanity(spec, chainId, one)),
    ];
    for (const verdict of verdicts) if (!verdict.ok) return `${verdict.code}, ${verdict.detail}`;
    const [forged] =
      (await this.#options.signatures?.findInvalid(block.transactions, { remember: false })) ?? [];
    return forged === undefined ? undefined : `TX-03, transaction ${forged.txid} has a bad signature`;
  }

  /** Accounts, their indices, pages and sums, row by row. */
  async #compareState(): Promise<void> {
    const accounts = [...this.#accounts.values()].sort((a, b) => a.index - b.index);
    const tree = buildStateTree({ accounts, totals: this.#totals });
    const expected = stateWrites(accounts, tree);
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
    const rows = await this.#store.getMany(transactions.map(({ txidBytes }) => keys.transaction(txidBytes)));
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
