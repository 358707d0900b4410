import assert from "node:assert/strict";
import { closeSync, existsSync, openSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startApi } from "../support/api-server.ts";
import { runCli } from "../support/cli.ts";
import { ADDRESS, ID_A } from "../support/stub-node-service.ts";
import { temporaryDirectory } from "../support/temp-dir.ts";

type Case = readonly [args: string, code: number, says: RegExp];

const wrongChecksum = `${ADDRESS.slice(0, -1)}${ADDRESS.endsWith("q") ? "p" : "q"}`;

/** DATA: a directory with one key, alice. API: a stub node. Exit codes: 1 failed, 2 usage. */
const cases: readonly Case[] = [
  ["frobnicate", 2, /unknown command 'frobnicate'/],
  ["staus", 2, /unknown command 'staus'.*[Dd]id you mean status/],
  ["status --frob", 2, /unknown option '--frob'/],
  ["status extra", 2, /too many arguments/],
  ["status --api nonsense", 2, /nonsense.*It must be a URL/],
  ["status --api ftp://x", 2, /It must be a URL/],
  ["status --api http://127.0.0.1:1", 1, /no node answers at http:\/\/127\.0\.0\.1:1 \(.*cumulo node start/],
  ["status --data DATA", 1, /no node runs on .*node\.json is missing.*cumulo node start/],
  ["status --api API --token-file DATA/nothing", 1, /cannot read the token file .*does not exist/],
  ["status --api API --token-file DATA", 1, /cannot read the token file DATA: it is a directory/],
  ["status --api API --token-file DATA/broken.json", 1, /broken\.json holds no token/],
  ["status --data DATA/broken.json", 1, /broken\.json\/node\.json: it, or a part of its path, is a file/],
  ["reorgs --limit 0 --api API", 2, /'0' is invalid. It must be an integer from 1 to 1000/],
  ["block --api API", 2, /missing required argument 'block'/],
  [
    "block 0xab --api API",
    2,
    /id \(64 lowercase hex digits, or the first 8 or more\) or its height, not "0xab"/,
  ],
  ["block 99 --api API", 1, /no height 99/],
  [`block ${ID_A} --api API`, 1, /no block a+ is known/],
  ["tx 12 --api API", 2, /64 lowercase hex digits \(the first 8 or more will do\), not "12"/],
  ["tx abcdef01 --api API", 1, /no transaction that this node saw since its start begins with abcdef01/],
  ["block 00000000 --api API", 1, /no block near the head begins with 00000000/],
  ["block abcdef01 --api API", 1, /no block near the head begins with abcdef01/],
  [`tx ${ID_A} --api API`, 1, /never saw/],
  [`account ${wrongChecksum} --api API`, 2, /not a valid address/],
  ["account bob --api API", 2, /"bob" is not an address/],
  ["account bob --api API --data DATA", 1, /no key is called bob/],
  ["key new", 2, /missing required argument 'name'/],
  ["key new alice", 2, /--data DIR/],
  ["key new alice --data DATA", 1, /a key called alice exists already/],
  ["key new Alice --data DATA", 2, /a-z, 0-9, - and _; not "Alice"/],
  ["key list --data DATA/typo", 1, /DATA\/typo does not exist/],
  ["key list --data DATA/broken.json", 1, /broken\.json is a file; name a node's data directory/],
  ["key new bob --data DATA/typo/x/y", 1, /cannot make DATA\/typo\/x\/y: DATA\/typo does not exist/],
  ["key new bob --data DATA/broken.json/x", 1, /a part of its path, is a file/],
  [
    "key new bob --data DATA --passphrase-file DATA/nothing",
    1,
    /cannot read the passphrase file DATA\/nothing: it does not exist/,
  ],
  ["key new bob --data DATA --passphrase-file /dev/zero", 1, /\/dev\/zero: it has more than 65536 bytes/],
  ["key new bob --data DATA --passphrase-file /dev/null", 1, /\/dev\/null holds no passphrase/],
  ["key new bob --data DATA --passphrase-file EMPTY", 2, /'' is invalid. It must not be empty/],
  ["key export alice --data DATA", 2, /required option '-o, --output/],
  ["key export nobody -o DATA/out --data DATA", 1, /no key is called nobody/],
  ["key export alice -o DATA/broken.json --data DATA", 1, /broken\.json exists already/],
  ["key export alice -o DATA/no/where --data DATA", 1, /where: its directory does not exist/],
  ["key import DATA/broken.json --data DATA", 1, /broken\.json is not a key file: it is not JSON/],
  ["key import DATA/nothing --data DATA", 1, /cannot read DATA\/nothing: it does not exist/],
  ["key import DATA/keys/alice.json --data DATA", 1, /a key called alice exists already/],
  ["key import DATA/keys/alice.json --name A --data DATA", 2, /a-z, 0-9, - and _; not "A"/],
  ["key encrypt alice --data DATA", 2, /a passphrase for alice is needed.*--passphrase-file FILE/],
  ["key encrypt nobody --data DATA", 1, /no key is called nobody/],
  ["account alice --data DATA/typo --api API", 1, /DATA\/typo does not exist/],
  ["key new ../x --data DATA", 2, /not "\.\.\/x"/],
  ["send --from alice --to alice --data DATA --api API", 2, /required option '--amount/],
  [
    "send --from alice --to alice --amount 1,5 --data DATA --api API",
    2,
    /--amount must be an amount in coins above 0.*not "1,5"/,
  ],
  ["send --from alice --to alice --amount 0 --data DATA --api API", 2, /--amount .*not "0"/],
  ["send --from alice --to alice --amount -1 --data DATA --api API", 2, /-1/],
  ["send --from alice --to alice --amount 0.000000001 --data DATA --api API", 2, /at most 8 decimals/],
  [
    "send --from alice --to alice --amount 99999999999 --data DATA --api API",
    2,
    /--amount must be at most 90071992\.54740991 coins, not "99999999999"/,
  ],
  ["send --from alice --to alice --amount 1 --fee x --data DATA --api API", 2, /--fee must be .* not "x"/],
  [`send --from alice --to ${wrongChecksum} --amount 1 --data DATA --api API`, 2, /not a valid address/],
  ["send --from nobody --to alice --amount 1 --data DATA --api API", 1, /no key is called nobody/],
  [
    `send --from alice --to alice --amount 1 --memo ${"m".repeat(65)} --data DATA --api API`,
    2,
    /--memo must be at most 64 bytes, not 65/,
  ],
  ["send --from alice --to alice --amount 1 --wait 0 --data DATA --api API", 2, /'0' is invalid/],
  ["send --from alice --to alice --amount 1 --data DATA --api API", 1, /bearer token/],
  ["mine --api API", 2, /how many blocks \(1 to 10000\)/],
  ["mine 0 --api API", 2, /not "0"/],
  ["mine 1.5 --api API", 2, /not "1.5"/],
  ["mine 10001 --api API", 2, /not "10001"/],
  ["mine 5 --every 2s --api API", 2, /not both/],
  ["mine --every 2 --api API", 2, /It must be a time from 1ms to 24h/],
  ["mine --every 2s --hash-rate 5 --api API", 2, /give one/],
  ["mine 1 --timeout 11m --api API", 2, /at most 10m, not 11 min/],
  ["mine 1 --api API", 1, /bearer token/],
  ["peer add 127.0.0.1:4001 --api API", 2, /It must be a multiaddr/],
  ["peer add /ip4/999.1.1.1/tcp/4001 --api API", 2, /999.*It must be a multiaddr/],
  ["peer remove ! --api API", 2, /not "!"/],
  ["peer ban ! --api API", 2, /not "!"/],
  ["peer ban 1.2.3.4 --for 400d --api API", 2, /It must be a time from 1s to 365d/],
  ["genesis new", 2, /required option '-o, --output/],
  ["genesis new -o DATA/keys/alice.json", 1, /exists already/],
  ["genesis new -o DATA/no/where.json", 1, /its directory does not exist/],
  ["genesis new -o DATA/g.json --difficulty 65", 2, /'65' is invalid. It must be an integer from 0 to 64/],
  ["genesis new -o DATA/g.json --engine pos", 2, /one of pow, vote/],
  ["genesis new -o DATA/g.json --name Big", 2, /name .*"Big"/],
  ["genesis new -o DATA/g.json --reward 1e3", 2, /--reward must be .*"1e3"/],
  [
    "genesis new -o DATA/g.json --alloc x=1",
    2,
    /--alloc must be a valid address \(cum1 and 58 more characters\), not "x"/,
  ],
  [
    `genesis new -o DATA/g.json --alloc ${ADDRESS}`,
    2,
    /--alloc must be ADDRESS=COINS, such as cum1\w+=100, not "cum1/,
  ],
  [
    `genesis new -o DATA/g.json --alloc ${ADDRESS}=0`,
    2,
    /--alloc must be an amount in coins above 0.*not "0"/,
  ],
  [
    `genesis new -o DATA/g.json --alloc ${ADDRESS}=99999999999`,
    2,
    /--alloc must be at most 90071992\.54740991 coins, not "99999999999"/,
  ],
  [
    `genesis new -o DATA/g.json --validator ${ADDRESS}=0`,
    2,
    /--validator .* power from 1 to 4294967296, not/,
  ],
  ["genesis new -o DATA/keys --force", 1, /cannot write .*keys: it is a directory/],
  ["genesis new -o DATA/broken.json/x", 1, /a part of its path, is a file/],
  ["genesis new -o EMPTY", 2, /'' is invalid. It must not be empty/],
  [`genesis new -o DATA/g.json --alloc ${ADDRESS}=lots`, 2, /--alloc must be an amount in coins.*"lots"/],
  [`genesis new -o DATA/g.json --validator ${ADDRESS}`, 2, /validators need engine vote/],
  ["genesis new -o DATA/g.json --reward 90000000", 2, /could issue 2\^53/],
  ["node init", 2, /required option '--data/],
  ["node init --data DATA/n --genesis DATA/nothing.json", 1, /does not exist/],
  [
    "node init --data DATA/n --genesis DATA/array.json",
    2,
    /array\.json: genesis must be an object, not an array/,
  ],
  ["node init --data DATA/n --genesis DATA", 1, /cannot read the genesis file DATA: it is a directory/],
  ["node init --data DATA/broken.json", 1, /broken\.json: it, or a part of its path, is a file/],
  ["node init --data DATA/n --genesis DATA/broken.json", 2, /broken\.json: not JSON/],
  [
    "node init --data DATA/n --genesis DATA/unknown-key.json",
    2,
    /unknown-key\.json: unknown key colour; allowed: name, engine, difficultyBits, /,
  ],
  ["node init --data DATA/n --genesis /dev/zero", 1, /\/dev\/zero: it has more than 16777216 bytes/],
  ["node start", 2, /required option '--data/],
  ["node start --data DATA/n --api 7070", 2, /It must be HOST:PORT/],
  ["node start --data DATA/n --api 127.0.0.1:99999", 2, /It must be HOST:PORT/],
  ["node start --data DATA/n --listen 0.0.0.0", 2, /It must be a multiaddr/],
  [
    "node start --data DATA/n --peer /ip4/127.0.0.1/tcp/1/p2p/12D3KooWEtdvXKjPoYkJEP2PyxZGuwzG74Kt8nCzDTuStZBQ1Nk",
    2,
    /--peer \/ip4\S+Nk: a peer's address has a port above 0, and after \/p2p\/ a whole peer's name/,
  ],
  [
    "node start --data DATA/n --peer /ip4/127.0.0.1/tcp/0",
    2,
    /--peer \S+: a peer's address has a port above 0/,
  ],
  ["node start --data DATA/n --hash-rate 100", 2, /--hash-rate needs --mine/],
  ["node start --data DATA/n --mine --hash-rate 0", 2, /It must be a number above 0, at most 1000000000000/],
  ["node start --data DATA/n --mine --hash-rate 1000000000001", 2, /at most 1000000000000/],
  ["node start --data DATA/n --token-file /dev/zero --api 127.0.0.1:0", 1, /it has more than 1024 bytes/],
  [
    "node start --data DATA/n --api a..b:80 --log-level warn",
    1,
    /cannot serve the API on a\.\.b:80: no such host name is known; give an address/,
  ],
  [`node start --data DATA/n --reward-to ${wrongChecksum}`, 2, /--reward-to must be a valid address/],
  ["node start --data DATA/n --genesis DATA/unknown-key.json", 2, /unknown key colour/],
  ["node start --data DATA/n --log-level loud", 2, /one of debug, info, warn, error, silent/],
  ["cluster up --nodes 0 --dir DATA/c", 2, /from 1 to 32/],
  ["cluster up --genesis DATA/nothing.json --dir DATA/c", 1, /does not exist/],
  [
    "cluster up --topology mesh --dir DATA/c",
    2,
    /mesh: it does not exist; give one of full, line, ring, star/,
  ],
  ["cluster up --topology DATA/array.json --dir DATA/c", 2, /array\.json: it must be an object such as/],
  ["cluster kill 1 --dir DATA/c2", 1, /no cluster runs in .*cumulo cluster up/],
  ["cluster pause one --dir DATA/c2", 2, /'one' is invalid.* from 1 to 32/],
  ["cluster resume --dir DATA/c2", 2, /missing required argument 'node'/],
  ["cluster restart 33 --dir DATA/c2", 2, /from 1 to 32/],
  ["cluster logs 1 --lines 0 --dir DATA/c2", 2, /from 1 to 10000/],
  ["cluster status --dir DATA/c2", 1, /no cluster runs in .*cumulo cluster up/],
  ["cluster down --dir DATA/c2", 1, /no cluster runs in/],
  ["cluster split 1/2 --dir DATA/c2", 1, /no cluster runs in/],
  ["cluster wait dinner --dir DATA/c2", 2, /"converged", not "dinner"/],
  ["cluster load --tps 0 --for 1s --dir DATA/c2", 2, /from 1 to 2000/],
  ["completion powershell", 2, /bash, zsh or fish, not "powershell"/],
];

describe("command line: wrong input", { concurrency: 2 }, () => {
  let data = "";
  let api = "";
  const cleanups: (() => unknown)[] = [];
  const scope = { after: (fn: unknown) => void cleanups.push(fn as () => unknown) };
  before(async () => {
    data = await temporaryDirectory(scope);
    ({ url: api } = await startApi(scope));
    await runCli(["key", "new", "alice", "--data", data]);
    await writeFile(join(data, "broken.json"), "{ name:");
    await writeFile(join(data, "unknown-key.json"), JSON.stringify({ name: "x", colour: "red" }));
    await writeFile(join(data, "array.json"), "[]");
  });
  after(async () => {
    for (const cleanup of cleanups) await cleanup();
  });

  for (const [line, code, says] of cases) {
    it(`cumulo ${line.length > 90 ? `${line.slice(0, 90)}...` : line} ends with ${code}`, async () => {
      const args = line.split(" ").map((arg) =>
        arg
          .replace("DATA", data)
          .replace(/^API$/, api)
          .replace(/^EMPTY$/, ""),
      );
      const result = await runCli(args);
      assert.equal(result.code, code, result.stderr);
      assert.equal(result.stdout, "");
      assert.match(result.stderr, /^cumulo: [^\n]+\n$/, "one line");
      assert.match(result.stderr.replaceAll(data, "DATA"), says);
      assert.doesNotMatch(result.stderr, /\.ts:\d+/, "no stack");
    });
  }

  it("output that cannot be written is told, in one line or as JSON", {
    skip: !existsSync("/dev/full"),
  }, async () => {
    for (const extra of [[], ["--json"]]) {
      const full = openSync("/dev/full", "w");
      const { code, stderr } = await runCli(["status", "--api", api, ...extra], { stdout: full });
      closeSync(full);
      assert.equal(code, 1);
      assert.match(stderr, /^[^\n]*cannot write the output: the disk is full[^\n]*\n$/);
    }
  });

  it("nothing was made on the way", async () => {
    assert.deepEqual((await readdir(data)).sort(), ["array.json", "broken.json", "keys", "unknown-key.json"]);
    assert.deepEqual(await readdir(join(data, "keys")), ["alice.json"]);
  });

  it("with --json an error is one JSON object on stderr", async () => {
    const { code, stdout, stderr } = await runCli(["block", "99", "--api", api, "--json"]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.deepEqual(Object.keys(JSON.parse(stderr)), ["code", "message", "details"]);
    assert.equal(JSON.parse(stderr).code, "BLOCK_NOT_FOUND");
  });
});
