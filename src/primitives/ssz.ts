import {
  ByteListType,
  ByteVectorType,
  type ByteViews,
  ContainerType,
  ListCompositeType,
  UintBigintType,
  UintNumberType,
  UnionType,
  type ValueOf,
} from "@chainsafe/ssz";

/**
 * A uint64 held in a JavaScript number. Values above 2^53 - 1 are refused when decoding: SSZ's own number type rounds
 * them silently (all ones decodes to 2^64 and encodes back as 0), and then two byte strings would mean one value.
 */
class SafeUint64Type extends UintNumberType {
  constructor() {
    super(8, { typeName: "uint64" });
  }

  override value_deserializeFromBytes(data: ByteViews, start: number, end: number): number {
    if (data.dataView.getUint32(start + 4, true) > 0x1f_ffff) throw new RangeError("uint64 above 2^53 - 1");
    return super.value_deserializeFromBytes(data, start, end);
  }
}

export const Uint8 = new UintNumberType(1);
export const Uint32 = new UintNumberType(4);
export const Uint64 = new SafeUint64Type();
export const Uint128 = new UintBigintType(16);
export const Uint256 = new UintBigintType(32);
export const Bytes16 = new ByteVectorType(16);
export const Bytes32 = new ByteVectorType(32);
export const Bytes64 = new ByteVectorType(64);

/** Transactions in one block, at most; also the limit under the transactions root. */
export const MAX_BLOCK_TRANSACTIONS = 2 ** 16;
/** One serialized transaction, at most, of any kind to come. A transfer takes 205 to 269 bytes. */
export const MAX_TRANSACTION_BYTES = 2 ** 16;
/** What an engine adds to a body (`vote`: certificate and evidence), at most. */
export const MAX_ENGINE_DATA_BYTES = 2 ** 16;
/** Hard ceiling for a spec's block size limit, so that any block fits one message. */
export const MAX_BLOCK_BYTES = 4 * 1024 * 1024;
export const MAX_MEMO_BYTES = 64;

export const HeaderCoreSsz = new ContainerType(
  {
    rulesVersion: Uint32,
    chain: Bytes32,
    height: Uint64,
    parent: Bytes32,
    timestampMs: Uint64,
    transactionsRoot: Bytes32,
    stateRoot: Bytes32,
    proposer: Bytes32,
    difficulty: Uint128,
    engineRoot: Bytes32,
    extra: Bytes32,
  },
  { typeName: "HeaderCore" },
);
export const HeaderSsz = new ContainerType({ core: HeaderCoreSsz, nonce: Uint64 }, { typeName: "Header" });

export const TransferSsz = new ContainerType(
  { to: Bytes32, amount: Uint64, memo: new ByteListType(MAX_MEMO_BYTES) },
  { typeName: "Transfer" },
);
/** Selector 0 = transfer. Later kinds are appended; a selector never changes its meaning. */
export const ActionSsz = new UnionType([TransferSsz], { typeName: "Action" });
export const TransactionBodySsz = new ContainerType(
  { chain: Bytes32, sender: Bytes32, nonce: Uint64, fee: Uint64, expiry: Uint64, action: ActionSsz },
  { typeName: "TransactionBody" },
);
export const TransactionSsz = new ContainerType(
  { body: TransactionBodySsz, signature: Bytes64 },
  { typeName: "Transaction" },
);

/** The list whose root stands in the header: one leaf per transaction, in block order. */
export const LeavesSsz = new ListCompositeType(Bytes32, MAX_BLOCK_TRANSACTIONS, { typeName: "Leaves" });

/**
 * Block body. Transactions are typed as opaque byte lists, which gives the same bytes on the wire as a list of
 * `Transaction` (both are variable-size elements behind offsets) and keeps each one's exact bytes for its leaf.
 */
export const BlockBodySsz = new ContainerType(
  {
    transactions: new ListCompositeType(new ByteListType(MAX_TRANSACTION_BYTES), MAX_BLOCK_TRANSACTIONS),
    engineData: new ByteListType(MAX_ENGINE_DATA_BYTES),
  },
  { typeName: "BlockBody" },
);

export const AccountSsz = new ContainerType(
  { key: Bytes32, balance: Uint64, nonce: Uint64 },
  { typeName: "Account" },
);
export const MAX_ACCOUNTS = 2 ** 32;
export const AccountsSsz = new ListCompositeType(AccountSsz, MAX_ACCOUNTS, { typeName: "Accounts" });

/** Everything before proof of work. All ids are 32 bytes, amounts base units, times Unix ms. */
export type HeaderCore = ValueOf<typeof HeaderCoreSsz>;
export type Header = ValueOf<typeof HeaderSsz>;
export type Transfer = ValueOf<typeof TransferSsz>;
export type Action = { readonly selector: 0; readonly value: Transfer };
export interface TransactionBody {
  readonly chain: Uint8Array;
  /** Ed25519 public key. */
  readonly sender: Uint8Array;
  /** Counts from 0; must equal the sender's account nonce when the transaction is executed. */
  readonly nonce: number;
  /** Base units. Goes to the proposer, less the account-creation fee where it creates one. */
  readonly fee: number;
  /** Last height at which it may stand in a block. */
  readonly expiry: number;
  readonly action: Action;
}
export interface Transaction {
  readonly body: TransactionBody;
  readonly signature: Uint8Array;
}
export type Account = ValueOf<typeof AccountSsz>;

/** Runs a strict SSZ decoder; `undefined` for anything that is not the one encoding of a value. */
export function decodeOr<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
