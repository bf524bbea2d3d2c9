import assert from "node:assert/strict";
import { ROOT } from "../tools/run_steps.ts";

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { isDynamic?: true; code?: { specifier?: string } }[];
  }[];
}

/** Everything that is loaded before the first line of a module runs, relative to the project. */
async function loadedWith(file: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", file],
    cwd: ROOT,
  }).output();
  const { roots, modules }: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const byName = new Map(modules.map((module) => [module.specifier, module]));
  const seen = new Set<string>();
  const waiting = [...roots];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const module = byName.get(at);
    if (seen.has(at) || !module) continue;
    seen.add(at);
    for (const { isDynamic, code } of module.dependencies ?? []) {
      if (!isDynamic && code?.specifier !== undefined) waiting.push(code.specifier);
    }
  }
  return [...seen].map((name) => name.replace(`file://${ROOT}/`, "")).sort();
}

Deno.test("exec and with load neither server, store nor client before they are needed", async () => {
  for (const file of ["cli.ts", "app/main_of_wrappers.ts"]) {
    const loaded = await loadedWith(file);
    assert.ok(loaded.includes(file), `${file} is not in its own graph`);
    const heavy = loaded.filter((name) =>
      /^(server|store|index|client|codec|sync|auth)\//.test(name)
    );
    assert.deepEqual(heavy, [], file);
  }
});
