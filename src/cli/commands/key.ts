import type { Command } from "commander";
import type { DamagedKey, KeyEntry, PassphraseSource } from "../../keys/index.ts";
import type { JsonOption } from "../connection.ts";
import { nodeFlags } from "../connection.ts";
import { failure, usageError } from "../failure.ts";
import { printJson, printLine, table } from "../output.ts";
import { path, quoted } from "../values.ts";

interface Options extends JsonOption {
  readonly data?: string;
}
interface SecretOptions extends Options {
  readonly passphraseFile?: string;
}

const PASSPHRASE_FILE = "--passphrase-file <file>";
/** What a copied command says where the user has a file of their own. */
const ENCRYPTS = "--passphrase-file FILE encrypts it";

function subcommand(key: Command, name: string, description: string): Command {
  return key
    .command(name)
    .description(description)
    .option("--data <dir>", "the data directory (or CUMULO_DATA)", path);
}

/** Only what was named on the command line: a key is encrypted because somebody asked for it. */
async function givenPassphrase(options: SecretOptions): Promise<PassphraseSource | undefined> {
  if (options.passphraseFile === undefined) return undefined;
  const { passphraseSource } = await import("../passphrase.ts");
  return passphraseSource(options, "a passphrase");
}

/** The public half, for programs. */
const shown = ({ name, address, encrypted }: Omit<KeyEntry, "publicKey">) => ({ name, address, encrypted });

function addNew(key: Command): void {
  subcommand(key, "new", "make a key")
    .argument("<name>", "a-z, 0-9, - and _, at most 64")
    .option(PASSPHRASE_FILE, "encrypt it with the first line of this file, which may be a pipe", path)
    .addHelpText("after", "\nExample:\n  cumulo key new alice --data ./node1 --passphrase-file ./passphrase")
    .action(async (name: string, options: SecretOptions) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const passphrase = await givenPassphrase(options);
      const { address } = await (await openKeyStore(options, { makes: true })).create(name, { passphrase });
      const encrypted = passphrase !== undefined;
      if (options.json) printJson(shown({ name, address, encrypted }));
      else printLine(`${name}  ${address}  (${encrypted ? "encrypted" : `not encrypted; ${ENCRYPTS}`})`);
    });
}

/** Printed after the list, which has all that can be used. */
function damagedKeys(damaged: readonly DamagedKey[]): Error {
  const files = damaged.map(({ file, problem }) => `${file} (${problem})`).join(", ");
  const message = `${damaged.length === 1 ? "one file" : `${damaged.length} files`} cannot be used as a key: ${files}; restore it from a backup or move it away`;
  return failure("KEY_FILE_INVALID", message, { damaged });
}

function addList(key: Command): void {
  subcommand(key, "list", "names and addresses of all keys, and whether they are encrypted")
    .addHelpText("after", "\nExample:\n  cumulo key list --data ./node1")
    .action(async (options: Options) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const { keys, damaged } = await (await openKeyStore(options)).list();
      if (options.json) printJson([...keys.map(shown), ...damaged]);
      else if (keys.length + damaged.length === 0)
        printLine(`no keys yet; make one with: cumulo key new NAME${nodeFlags(options)}`);
      else {
        const rows = [
          ...keys.map(({ name, address, encrypted }) => [name, address, encrypted ? "encrypted" : "plain"]),
          ...damaged.map(({ name, problem }) => [name, "-", `damaged: ${problem}`]),
        ];
        printLine(await table(["NAME", "ADDRESS", "FILE"], rows));
      }
      if (damaged.length > 0) throw damagedKeys(damaged);
    });
}

function addExport(key: Command): void {
  subcommand(key, "export", "copy a key into a file, for a backup or another node")
    .argument("<name>", "which key")
    .requiredOption("-o, --output <file>", "where to write it; it must not exist", path)
    .option(
      PASSPHRASE_FILE,
      "encrypt the copy with the first line of this file; of an encrypted key, check that it opens it",
      path,
    )
    .addHelpText(
      "after",
      "\nExample:\n  cumulo key export alice -o alice.backup --data ./node1 --passphrase-file ./passphrase",
    )
    .action(async (name: string, options: SecretOptions & { readonly output: string }) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const passphrase = await givenPassphrase(options);
      const entry = await (await openKeyStore(options)).exportTo(options.output, name, passphrase);
      if (options.json) return printJson({ ...shown(entry), file: options.output });
      const form = entry.encrypted
        ? "encrypted"
        : `not encrypted: whoever reads it can spend; ${ENCRYPTS.replace("it", "the copy")}`;
      printLine(`wrote ${options.output}  (${form})`);
    });
}

function addImport(key: Command): void {
  subcommand(key, "import", "add a key from a file that was exported")
    .argument("<file>", "a key file, which may be a pipe", path)
    .option("--name <name>", "what to call it (default: as it was called)")
    .option(
      PASSPHRASE_FILE,
      "the first line of this file opens it; a key that is not encrypted is encrypted with it",
      path,
    )
    .addHelpText("after", "\nExample:\n  cumulo key import alice.backup --name alice --data ./node2")
    .action(async (file: string, options: SecretOptions & { readonly name?: string }) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const { passphraseSource } = await import("../passphrase.ts");
      const open = passphraseSource(options, `the passphrase of ${file}`);
      const seal = await givenPassphrase(options);
      const store = await openKeyStore(options, { makes: true });
      const entry = await store.importFrom(file, { name: options.name, open, seal });
      const { name, address, encrypted } = entry;
      if (options.json) printJson(shown(entry));
      else {
        const how = `cumulo key encrypt ${name}${nodeFlags(options)}`;
        printLine(
          `${name}  ${address}  (${encrypted ? "encrypted" : `not encrypted; encrypt it with: ${how}`})`,
        );
      }
    });
}

function addEncrypt(key: Command): void {
  subcommand(key, "encrypt", "put a key that is not encrypted under a passphrase")
    .argument("<name>", "which key")
    .option(PASSPHRASE_FILE, "the passphrase is its first line (default: asked for)", path)
    .addHelpText(
      "after",
      "\nExample:\n  cumulo key encrypt alice --data ./node1 --passphrase-file ./passphrase",
    )
    .action(async (name: string, options: SecretOptions) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const { passphraseSource } = await import("../passphrase.ts");
      const passphrase = passphraseSource(options, `a passphrase for ${name}`, { isNew: true });
      const entry = await (await openKeyStore(options)).encrypt(name, passphrase);
      if (options.json) printJson(shown(entry));
      else
        printLine(
          `${name}  ${entry.address}  (encrypted; backups of the old file still hold its secret in plain)`,
        );
    });
}

function addPassphrase(key: Command): void {
  subcommand(key, "passphrase", "put an encrypted key under another passphrase")
    .argument("<name>", "which key")
    .option(
      PASSPHRASE_FILE,
      "the passphrase it has is the first line of this file (default: asked for)",
      path,
    )
    .option(
      "--new-passphrase-file <file>",
      "the passphrase it gets is the first line of this file (default: asked for)",
      path,
    )
    .addHelpText(
      "after",
      "\nExample:\n  cumulo key passphrase alice --data ./node1 --passphrase-file ./old --new-passphrase-file ./new",
    )
    .action(async (name: string, options: SecretOptions & { readonly newPassphraseFile?: string }) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const { passphraseSource } = await import("../passphrase.ts");
      const { newPassphraseFile } = options;
      const given = newPassphraseFile === undefined ? {} : { passphraseFile: newPassphraseFile };
      const option = "--new-passphrase-file";
      const entry = await (await openKeyStore(options)).changePassphrase(name, {
        open: passphraseSource(options, `the passphrase of ${name}`),
        seal: passphraseSource(given, `a new passphrase for ${name}`, { isNew: true, option }),
      });
      if (options.json) return printJson(shown(entry));
      printLine(`${name}  ${entry.address}  (another passphrase; backups still open with the old one)`);
    });
}

function addDecrypt(key: Command): void {
  subcommand(key, "decrypt", "take the passphrase off a key: whoever can read its file can spend then")
    .argument("<name>", "which key")
    .option(PASSPHRASE_FILE, "the passphrase is its first line (default: asked for)", path)
    .addHelpText(
      "after",
      "\nExample:\n  cumulo key decrypt alice --data ./node1 --passphrase-file ./passphrase",
    )
    .action(async (name: string, options: SecretOptions) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const { passphraseSource } = await import("../passphrase.ts");
      const passphrase = passphraseSource(options, `the passphrase of ${name}`);
      const entry = await (await openKeyStore(options)).decrypt(name, passphrase);
      if (options.json) return printJson(shown(entry));
      const how = `cumulo key encrypt ${name}${nodeFlags(options)}`;
      printLine(
        `${name}  ${entry.address}  (NOT encrypted any more: whoever reads its file can spend; encrypt it again with: ${how})`,
      );
    });
}

function addRemove(key: Command): void {
  subcommand(key, "remove", "remove a key for good: without a copy of it, what its account owns is lost")
    .argument("<name>", "which key")
    .option("--yes", "really")
    .addHelpText("after", "\nExample:\n  cumulo key remove alice --yes --data ./node1")
    .action(async (name: string, options: Options & { readonly yes?: boolean }) => {
      const { openKeyStore } = await import("../key-lookup.ts");
      const store = await openKeyStore(options);
      if (options.yes !== true)
        throw usageError(
          `what ${quoted(name)} owns is lost without a copy of it; export it first (cumulo key export NAME -o FILE), then remove it with --yes`,
        );
      await store.remove(name);
      if (options.json) printJson({ name, removed: true });
      else printLine(`${name} is removed`);
    });
}

export function addKey(program: Command): void {
  const key = program
    .command("key")
    .description("keys in a node's data directory, encrypted where you give a passphrase");
  for (const add of [addNew, addList, addExport, addImport, addEncrypt, addPassphrase, addDecrypt, addRemove])
    add(key);
}
