/** Tests that need something of the machine: they say why they were skipped, and CI refuses that. */

/** What {@linkcode skippable} needs to know before it runs. */
export interface SkippableOptions extends Omit<Deno.TestDefinition, "name" | "fn"> {
  /** Why the test can not run here; `undefined` when it can. */
  need(): Promise<string | undefined> | string | undefined;
}

/**
 * Registers a test that runs only where `need` finds nothing missing. Otherwise it prints
 * `SKIP <name>: <reason>` and passes; with `CI=true` it fails, so that a missing tool is seen.
 */
export function skippable(
  name: string,
  options: SkippableOptions,
  fn: (t: Deno.TestContext) => Promise<void> | void,
): void {
  const { need, ...definition } = options;
  Deno.test({
    ...definition,
    name,
    async fn(t) {
      if (requireOrSkip(t, await need())) await fn(t);
    },
  });
}

/**
 * Tells whether a test may go on. With a `reason` it prints `SKIP <name>: <reason>` and answers
 * `false`.
 * @throws {Error} with a reason, when `CI=true`
 */
export function requireOrSkip(t: { readonly name: string }, reason: string | undefined): boolean {
  if (reason === undefined) return true;
  const line = `SKIP ${t.name}: ${reason}`;
  if (Deno.env.get("CI") === "true") throw new Error(`${line} (not allowed where CI=true)`);
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
  return false;
}

/** A reason when this program is not found on the search path. */
export async function needProgram(name: string): Promise<string | undefined> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const found = await Deno.stat(`${folder}/${name}`).catch(() => undefined);
    if (found?.isFile) return undefined;
  }
  return `${name} is not installed`;
}
