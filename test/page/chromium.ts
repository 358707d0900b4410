import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Commands } from "../compose/commands.ts";
import { libraryPath, unpackDebs } from "../compose/packages.ts";

/** The browser, and letters for it. */
const PACKAGES = ["chromium", "fonts-dejavu-core"];

/**
 * Debian's Chromium in a directory of ours: nothing of the machine's own is changed. Gives the program to start. Fails
 * where it cannot be had, or does not start.
 */
export async function unpackChromium(commands: Commands, directory: string): Promise<string> {
  const root = await unpackDebs(commands, directory, PACKAGES);
  const fonts = join(directory, "fonts.conf");
  await mkdir(join(directory, "bin"));
  await writeFile(
    fonts,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<dir>/usr/share/fonts</dir><dir>${root}/usr/share/fonts</dir><cachedir>${directory}/fonts</cachedir></fontconfig>\n`,
  );
  const program = join(directory, "bin/chromium");
  await writeFile(
    program,
    `#!/bin/sh
export LD_LIBRARY_PATH="${libraryPath(root)}" FONTCONFIG_FILE="${fonts}"
exec "${root}/usr/lib/chromium/chromium" "$@"\n`,
    { mode: 0o755 },
  );
  await commands.run([program, "--version"]);
  return program;
}
