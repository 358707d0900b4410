/**
 * The layout rule: which folder of src/ may import from which. `layers` is its only source; everything below is
 * derived from it. Run by scripts/check-layers.ts, which also proves that a planted violation is seen.
 */

/** From the ground up: a folder imports only from folders before it, through their index.ts. */
export const layers = [
  { name: "ports" },
  { name: "files" },
  { name: "primitives", pure: true },
  { name: "consensus", pure: true },
  { name: "ledger", pure: true },
  { name: "mempool", pure: true },
  { name: "sync", pure: true },
  { name: "keys" },
  { name: "chain" },
  // node/ wires the two with functions, so that a peer can be simulated without a chain and a chain without peers.
  { name: "network", never: ["chain"] },
  { name: "miner" },
  { name: "compute" },
  { name: "storage" },
  { name: "market" },
  { name: "api" },
  { name: "node" },
  // A library for other people's programs: it takes types from api/ and no code from anywhere of ours.
  { name: "client", only: [], typesOnly: ["api"] },
  { name: "cluster" },
  { name: "cli" },
  // Browser code: speaks HTTP only, through the client library.
  { name: "dashboard", only: ["client"], typesOnly: ["api"] },
];

/** What a pure folder may import from outside: computation only, no clock, no chance, no I/O. */
const purePackages = [
  "@chainsafe/ssz",
  "@chainsafe/persistent-merkle-tree",
  "@chainsafe/hashtree",
  "@noble/hashes",
  "@scure/base",
  // Checks the shape of genesis.json.
  "typebox",
];

/** libp2p and its timers, keys and chance stay behind the network port. */
const libp2p = "(^|/)node_modules/(libp2p/|@libp2p/(?!crypto/|peer-id/)|@chainsafe/libp2p-)";

/** Node's own SHA-256, three times as fast as in WebAssembly. */
const hashing = "^(node:)?crypto$";

const any = (names) => `(${names.join("|")})`;
const folders = (names) => `^src/${any(names)}/`;
const pureNames = layers.filter((layer) => layer.pure).map((layer) => layer.name);

/** One rule per folder: src/ apart from itself and what it may use is out of bounds. */
const orderRules = layers.flatMap(({ name, only, typesOnly = [], never = [], pure }, position) => {
  const below = layers.slice(0, position).map((layer) => layer.name);
  const forTypes = [...typesOnly, ...(pure ? ["ports"] : [])];
  const forCode = (only ?? below).filter((other) => !never.includes(other) && !forTypes.includes(other));
  const rule = (suffix, comment, to) => ({
    name: `${name}${suffix}`,
    comment,
    severity: "error",
    from: { path: folders([name]) },
    to,
  });
  const rules = [
    rule(
      "-imports-only-from",
      `${name}/ may import from: ${[...forCode, ...forTypes].join(", ") || "nothing"}`,
      {
        path: "^src/",
        pathNot: folders([name, ...forCode, ...forTypes]),
      },
    ),
  ];
  if (forTypes.length > 0) {
    rules.push(
      rule(
        "-imports-types-only",
        `${name}/ may import only types (import type) from: ${forTypes.join(", ")}`,
        {
          path: folders(forTypes),
          dependencyTypesNot: ["type-only"],
        },
      ),
    );
  }
  return rules;
});

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    ...orderRules,
    {
      name: "folders-are-listed",
      comment: "Every file of src/ lies in a folder that has its place in the list of layers.",
      severity: "error",
      from: { path: "^src/", pathNot: folders(layers.map((layer) => layer.name)) },
      to: {},
    },
    {
      name: "through-the-index",
      comment: "Another folder is entered through its index.ts.",
      severity: "error",
      from: { path: "^src/([^/]+)/" },
      to: { path: "^src/([^/]+)/", pathNot: ["^src/$1/", "^src/[^/]+/index\\.ts$"] },
    },
    {
      name: "pure-stays-pure",
      comment: `Pure folders import from outside only: ${purePackages.join(", ")}`,
      severity: "error",
      from: { path: folders(pureNames) },
      to: { pathNot: ["^src/", `(^|/)node_modules/${any(purePackages)}/`, hashing] },
    },
    {
      name: "hashing-in-one-place",
      comment:
        "node:crypto has chance and keys too; the one pure file that uses it takes its hash and nothing else.",
      severity: "error",
      from: { path: folders(pureNames), pathNot: "^src/primitives/hash\\.ts$" },
      to: { path: hashing },
    },
    {
      name: "libp2p-behind-network",
      comment: "libp2p is used in network/ only.",
      severity: "error",
      from: { path: "^src/", pathNot: folders(["network"]) },
      to: { path: libp2p },
    },
    {
      name: "no-cycles",
      comment: "Modules that need each other are one module, or lack a third.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "resolvable",
      comment: "An import that is not found is not checked either.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared",
      comment: "src/ uses what package.json declares under dependencies, not what happens to be installed.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/dashboard/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "src-stands-alone",
      comment: "src/ imports neither tests nor scripts.",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|scripts)/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Types count: a type from a higher folder is a dependency on it.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: [".ts", ".tsx", ".mts", ".js", ".mjs", ".cjs", ".json"],
      conditionNames: ["import", "node", "default", "types"],
      exportsFields: ["exports"],
      mainFields: ["module", "main", "types"],
    },
  },
};
