/** Programs of the Python package index. */
import { run } from "./real_server.ts";

/**
 * Brings `name==version` and what it needs into a folder of its own.
 * @throws {Error} with what pip said
 */
export async function pipInstall(
  folder: string,
  what: string,
  options: readonly string[] = [],
): Promise<void> {
  const words = ["-m", "pip", "install", "-q", ...options, "--upgrade", "--target", folder];
  const installed = await run(["python3", ...words, what]);
  if (installed.code !== 0) throw new Error(`Cannot install ${what}: ${installed.stderr}`);
}
