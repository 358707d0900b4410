import { writeFile } from "node:fs/promises";
import { createWhole, fileProblem } from "../files/index.ts";
import { failure } from "./failure.ts";

/** Writes what -o FILE asked for. Fails with FILE_EXISTS where it is there and not forced, and with FILE_UNWRITABLE. */
export async function writeOutput(file: string, text: string, force: boolean): Promise<void> {
  try {
    // Whole or not at all, so that a full disk leaves nothing that stands in the way; --force may name a device.
    await (force ? writeFile(file, text) : createWhole(file, text, 0o666));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw failure(
        "FILE_EXISTS",
        `${file} exists already; choose another -o FILE, or replace it with --force`,
      );
    const why = fileProblem(error, "its directory does not exist");
    throw failure("FILE_UNWRITABLE", `cannot write ${file}: ${why}`);
  }
}
