/**
 * Makes the frozen vectors of this folder from our own code: `node test/vectors/generate.ts --write`. Nothing else ever
 * writes them, and a change of any existing value is a change of every chain id: see docs/protocol.md. Without --write
 * it only says which files would differ. The test computes every value a second way.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { formatWork, nextDifficulty, targetOf } from "../../src/consensus/index.ts";
import { keyFromSeed, signTransaction } from "../../src/keys/index.ts";
import { plainKeyFile, sealedKeyFile, writeKeyFile } from "../../src/keys/key-file.ts";
import { type AccountRecord, applyBlock, buildStateTree, createGenesis } from "../../src/ledger/index.ts";
import { gossipMessageId } from "../../src/network/gossip.ts";
import {
  assembleBlock,
  encodeAddress,
  encodeBody,
  type GenesisJson,
  headerCoreRoot,
  bytesToHex as hex,
  rewardAt,
  sealHeader,
  sha256,
  signingMessage,
  specFromJson,
  specRoot,
  specToJson,
  stateRootBranch,
  transactionsRoot,
} from "../../src/primitives/index.ts";

const fill = (byte: number, length = 32): Uint8Array => new Uint8Array(length).fill(byte);
const label = (text: string): Uint8Array => sha256(new TextEncoder().encode(text));
const seedOf = (name: string): Uint8Array => label(`cumulo vector key ${name}`);
const MAX = Number.MAX_SAFE_INTEGER;

function specOf(json: GenesisJson) {
  const parsed = specFromJson(json);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.spec;
}

const fullJson: GenesisJson = {
  name: "every-field-32-characters-long-1",
  engine: "pow",
  difficultyBits: 17,
  difficultyMode: "adjusting",
  intervalMs: 5_000,
  smoothing: 20,
  driftMs: 9_000,
  minimumWork: "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  reward: 1_234_567_890,
  halvingInterval: 1_000,
  maxBlockBytes: 65_537,
  minFeePerByte: 3,
  accountCreationFee: 12_345,
  allocations: ["carol", "alice", "bob"].map((name, i) => ({
    address: keyFromSeed(seedOf(name)).address,
    amount: 10 ** (i * 5) + i,
  })),
  activations: [
    { rulesVersion: 2, height: 1_000 },
    { rulesVersion: 7, height: 2 ** 40 },
  ],
  genesisTimestampMs: 1_700_000_000_123,
  salt: "000102030405060708090a0b0c0d0e0f",
};
const voteJson: GenesisJson = {
  name: "vote",
  engine: "vote",
  validators: [
    { address: keyFromSeed(seedOf("bob")).address, power: 2 ** 32 },
    { address: keyFromSeed(seedOf("alice")).address, power: 1 },
  ],
};

const specs = () =>
  [{ name: "devnet" }, fullJson, voteJson].map((given) => {
    const spec = specOf(given);
    const { block } = createGenesis(spec);
    return {
      given,
      whole: specToJson(spec),
      specRoot: hex(specRoot(spec)),
      stateRoot: hex(block.header.header.core.stateRoot),
      genesisHeader: hex(block.header.bytes),
      genesisBody: hex(block.bodyBytes),
      chainId: block.header.id,
    };
  });

const headers = () =>
  [0, 1, 2 ** 32 - 1, 2 ** 32, MAX].map((number, i) => {
    const core = {
      rulesVersion: Math.min(number, 0xffff_ffff),
      chain: label(`chain ${i}`),
      height: number,
      parent: fill(i * 60),
      timestampMs: MAX - number,
      transactionsRoot: label(`transactions ${i}`),
      stateRoot: label(`state ${i}`),
      proposer: fill(255 - i),
      difficulty: [1n, 1_024n, 2n ** 64n, 2n ** 127n + 1n, 2n ** 128n - 1n][i] ?? 1n,
      engineRoot: fill(i),
      extra: label(`extra ${i}`),
    };
    const sealed = sealHeader({ core, nonce: number });
    const plain = Object.entries(core).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? hex(value) : typeof value === "bigint" ? value.toString() : value,
    ]);
    return {
      core: Object.fromEntries(plain) as Record<string, string | number>,
      nonce: number,
      bytes: hex(sealed.bytes),
      coreRoot: hex(headerCoreRoot(core)),
      id: sealed.id,
    };
  });

const transfers = [
  { from: "alice", to: "bob", amount: 1, nonce: 0, fee: 205, expiry: 100, memo: "" },
  {
    from: "bob",
    to: "bob",
    amount: 2 ** 33 + 5,
    nonce: 7,
    fee: 2 ** 32,
    expiry: 2 ** 40,
    memo: "rent for May",
  },
  { from: "carol", to: "alice", amount: MAX, nonce: MAX, fee: MAX, expiry: MAX, memo: "m".repeat(64) },
];
const sealed = () => {
  const chain = createGenesis(specOf({ name: "devnet" })).chainId;
  return transfers.map(({ from, to, memo, amount, ...rest }) => {
    const key = keyFromSeed(seedOf(from));
    const value = { to: keyFromSeed(seedOf(to)).publicKey, amount, memo: new TextEncoder().encode(memo) };
    return signTransaction({ chain, sender: key.publicKey, ...rest, action: { selector: 0, value } }, key);
  });
};
const transactions = () =>
  sealed().map((transaction, i) => {
    const { body, signature } = transaction.transaction;
    const { from = "", to = "", ...numbers } = transfers[i] ?? {};
    return {
      seed: hex(seedOf(from)),
      recipientSeed: hex(seedOf(to)),
      chain: hex(body.chain),
      ...numbers,
      sender: encodeAddress(body.sender),
      recipient: encodeAddress(body.action.value.to),
      bytes: hex(transaction.bytes),
      txid: transaction.txid,
      leaf: transaction.leaf,
      signingMessage: hex(signingMessage(transaction.txidBytes)),
      signature: hex(signature),
    };
  });

const bodies = () =>
  [
    { count: 0, engineData: new Uint8Array() },
    { count: 1, engineData: new Uint8Array() },
    { count: 3, engineData: fill(0xee, 5) },
  ].map(({ count, engineData }) => {
    const list = sealed().slice(0, count);
    return {
      transactions: list.map(({ bytes }) => hex(bytes)),
      engineData: hex(engineData),
      bytes: hex(encodeBody(list, engineData).bodyBytes),
      transactionsRoot: hex(transactionsRoot(list)),
    };
  });

const states = () =>
  [0, 1, 2, 5, 33].map((count) => {
    const accounts = Array.from({ length: count }, (_, index) => ({
      index,
      key: hex(label(`account ${index}`)),
      balance: index === 0 ? MAX : index ** 5,
      nonce: index === 1 ? MAX : index,
    }));
    const totals = { accounts: count, issued: count * 1_000_003, burned: count * 17 };
    const { root } = buildStateTree({ accounts, totals });
    return { accounts, issued: totals.issued, burned: totals.burned, root: hex(root) };
  });

interface Execution {
  readonly rules: Pick<GenesisJson, "reward" | "halvingInterval" | "accountCreationFee">;
  readonly height: number;
  readonly proposer: string;
  readonly transfers: (readonly [from: string, to: string, amount: number, nonce: number, fee: number])[];
}
const executionCases: readonly Execution[] = [
  // New accounts, one of which spends what it got; a halved reward and fees for a proposer who has none yet.
  {
    rules: { reward: 1_001, halvingInterval: 10, accountCreationFee: 7 },
    height: 21,
    proposer: "erin",
    transfers: [
      ["alice", "bob", 100, 3, 305],
      ["alice", "dave", 2_000, 4, 306],
      ["dave", "alice", 900, 0, 307],
      ["bob", "bob", 1_000, 9, 308],
    ],
  },
  // The proposer pays itself, and its reward is halved away.
  {
    rules: { reward: 1, halvingInterval: 1, accountCreationFee: 0 },
    height: 2,
    proposer: "alice",
    transfers: [["alice", "alice", 1, 3, 309]],
  },
  // Nothing for a proposer without account: it gets none.
  {
    rules: { reward: 0, halvingInterval: 0, accountCreationFee: 5 },
    height: 1,
    proposer: "erin",
    transfers: [],
  },
];

const executions = () =>
  executionCases.map(({ rules, height, proposer, transfers: list }) => {
    const given = { name: "execution", ...rules };
    const spec = specOf(given);
    const { chainId: chain } = createGenesis(spec);
    const keyOf = (name: string) => keyFromSeed(seedOf(name));
    const before: AccountRecord[] = ["alice", "bob", "carol"].map((name, index) => ({
      index,
      key: hex(keyOf(name).publicKey),
      balance: 10_000 * (index + 1),
      nonce: 3 * (index === 1 ? 3 : 1),
    }));
    const totals = { accounts: 3, issued: 60_500, burned: 500 };
    const signed = list.map(([from, to, amount, nonce, fee]) => {
      const value = { to: keyOf(to).publicKey, amount, memo: new Uint8Array() };
      const action = { selector: 0 as const, value };
      const sender = keyOf(from);
      return signTransaction({ chain, sender: sender.publicKey, nonce, fee, expiry: 100, action }, sender);
    });
    const body = encodeBody(signed, new Uint8Array());
    const core = {
      rulesVersion: 1,
      chain,
      height,
      parent: label("parent"),
      timestampMs: 1_700_000_000_000,
      transactionsRoot: transactionsRoot(signed),
      stateRoot: fill(0),
      proposer: keyOf(proposer).publicKey,
      difficulty: 1n,
      engineRoot: fill(0),
      extra: fill(0),
    };
    const accounts = new Map(before.map((account) => [account.key, account]));
    const execution = applyBlock(spec, accounts, totals, assembleBlock(sealHeader({ core, nonce: 0 }), body));
    if (!execution.ok) throw new Error(execution.detail);
    for (const account of execution.change.accounts) accounts.set(account.key, account);
    const after = [...accounts.values()].sort((a, b) => a.index - b.index);
    const tree = buildStateTree({ accounts: after, totals: execution.change.totals });
    const header = sealHeader({ core: { ...core, stateRoot: tree.root }, nonce: 5 });
    const { issued, burned } = execution.change.totals;
    const branch = stateRootBranch(header.header);
    return {
      given,
      before: { accounts: before, issued: totals.issued, burned: totals.burned },
      header: hex(header.bytes),
      body: hex(body.bodyBytes),
      after: { accounts: after, issued, burned, root: hex(tree.root) },
      id: header.id,
      proofs: after.map(({ index }) => [...tree.prove(index), ...branch].map(hex)),
    };
  });

const difficulties = () =>
  [
    { smoothing: 72, intervalMs: 2_000, difficultyBits: 10, pattern: [2_000, 1, 900, 100_000, 2_100, 1_999] },
    { smoothing: 1, intervalMs: 10, difficultyBits: 0, pattern: [1, 1, 1, 70, 3] },
    { smoothing: 4, intervalMs: 1_000, difficultyBits: 4, pattern: [10, 10, 10, 10, 6_500, 50] },
  ].map(({ pattern, ...rules }) => {
    const spec = specOf({ name: "d", difficultyMode: "adjusting", ...rules });
    let block = {
      height: 0,
      timestampMs: spec.genesisTimestampMs,
      difficulty: nextDifficulty(spec, { height: 0, timestampMs: 0, difficulty: 1n }, undefined),
    };
    let before: typeof block | undefined;
    const gapsMs = Array.from({ length: 40 }, (_, i) => pattern[i % pattern.length] ?? 1);
    const sequence = gapsMs.map((gapMs) => {
      const difficulty = nextDifficulty(spec, block, before);
      [before, block] = [
        block,
        { height: block.height + 1, timestampMs: block.timestampMs + gapMs, difficulty },
      ];
      return difficulty.toString();
    });
    return { ...rules, gapsMs, difficulties: sequence };
  });

const rewards = () =>
  [
    { reward: 5_000_000_000, halvingInterval: 210_000, heights: [1, 210_000, 210_001, 420_001, 6_930_001] },
    { reward: 1_001, halvingInterval: 1, heights: Array.from({ length: 12 }, (_, i) => i + 1) },
    { reward: 2 ** 50 + 1, halvingInterval: 1, heights: [1, 2, 50, 51, 52, 53, 54, 55, 64, MAX] },
  ].map(({ reward, halvingInterval, heights }) => {
    const spec = specOf({ name: "r", reward, halvingInterval });
    return { reward, halvingInterval, heights, rewards: heights.map((height) => rewardAt(spec, height)) };
  });

const targets = () =>
  [1n, 2n, 3n, 1_024n, 2n ** 64n, 2n ** 128n - 1n].map((difficulty) => ({
    difficulty: difficulty.toString(),
    work: formatWork(difficulty),
    target: hex(targetOf(difficulty)),
  }));

const gossip = () =>
  [
    { topic: "/cumulo/01234567/txs/1", data: "" },
    { topic: "/cumulo/01234567/blocks/1", data: "00ff" },
    { topic: "", data: "00" },
    { topic: "ä", data: hex(fill(1, 100)) },
  ].map(({ topic, data }) => ({
    topic,
    data,
    id: hex(gossipMessageId(topic, new Uint8Array(Buffer.from(data, "hex")))),
  }));

const addresses = () =>
  [fill(0), fill(0xff), label("address"), keyFromSeed(seedOf("alice")).publicKey].map((publicKey) => ({
    publicKey: hex(publicKey),
    address: encodeAddress(publicKey),
  }));

/** Salt and nonce of a vector, which in a key file are never anybody's choice. */
const bytesOf = (name: string) => ({
  bytes: (length: number) => label(`cumulo vector key file ${name} ${length}`).subarray(0, length),
});
const keyFiles = () =>
  Promise.all(
    [
      { name: "plain" },
      { name: "usual-cost", passphrase: "correct horse battery staple", cost: { n: 2 ** 17, r: 8, p: 1 } },
      {
        name: "not-ascii",
        passphrase: " p\u00e4ss\tw\u00f6rd \u{1f511}\u0301 ",
        cost: { n: 1_024, r: 8, p: 1 },
      },
      { name: "longest", passphrase: "x".repeat(1_024), cost: { n: 2_048, r: 16, p: 3 } },
    ].map(async ({ name, passphrase, cost }) => {
      const key = keyFromSeed(seedOf(name));
      const file =
        passphrase === undefined
          ? plainKeyFile(key)
          : await sealedKeyFile(key, passphrase, { cost, random: bytesOf(name) });
      return { seed: hex(seedOf(name)), passphrase, text: writeKeyFile(file, name) };
    }),
  );

/** File name -> its content, as our code has it now. */
export async function currentVectors(): Promise<Record<string, unknown>> {
  return {
    "chain-spec.json": specs(),
    "header.json": headers(),
    "transaction.json": transactions(),
    "body.json": bodies(),
    "state.json": states(),
    "execution.json": executions(),
    "difficulty.json": difficulties(),
    "reward.json": rewards(),
    "target.json": targets(),
    "gossip-message-id.json": gossip(),
    "address.json": addresses(),
    "key-file.json": await keyFiles(),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, content] of Object.entries(await currentVectors())) {
    const file = new URL(name, import.meta.url);
    const text = `${JSON.stringify(content, null, 1)}\n`;
    if (process.argv.includes("--write")) {
      writeFileSync(file, text);
    } else {
      let frozen = "";
      try {
        frozen = readFileSync(file, "utf8");
      } catch {}
      process.stdout.write(`${name}: ${frozen === text ? "same" : "differs"}\n`);
    }
  }
}
