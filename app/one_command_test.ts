import assert from "node:assert/strict";
import { fakeEnvironment } from "../test/helpers/fake_environment.ts";
import { ROOT } from "../tools/run_steps.ts";

import { buildProgram } from "./main.ts";
import { COMMANDS } from "./one_command.ts";
import type { BuildProgram } from "./run_program.ts";
import { programWith, runProgram } from "./run_program.ts";

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

const SERVER = /^(server|store|index|auth|sync)\//;
const CLIENT = /^(client|codec)\//;

Deno.test("exec and with load neither server, store nor client before they are needed", async () => {
  for (const name of ["cli.ts", "app/one_command.ts", ...["exec", "with"].map(fileOf)]) {
    const loaded = await loadedWith(name);
    assert.ok(loaded.includes(name), `${name} is not in its own graph`);
    assert.deepEqual(loaded.filter((name) => SERVER.test(name) || CLIENT.test(name)), [], name);
  }
});

Deno.test("a command that asks a server loads no engine", async () => {
  for (const name of ["get", "put", "has", "save", "restore", "hash", "ls", "rm"].map(fileOf)) {
    assert.deepEqual((await loadedWith(name)).filter((name) => SERVER.test(name)), [], name);
  }
});

Deno.test("a command says the same by itself as among all others", async () => {
  for (const [name, load] of COMMANDS) {
    for (const words of [["--help"], ["--bogus"]]) {
      const add = await load();
      const alone = await said(
        [name, ...words],
        (context, options) => programWith([add], context, options),
      );
      assert.deepEqual(alone, await said([name, ...words], buildProgram), name);
      assert.ok(alone.text.length > 0, name);
    }
  }
});

function fileOf(command: string): string {
  return `app/commands/${command}.ts`;
}

/** What the command line answers, on both ways out. */
async function said(args: string[], build: BuildProgram): Promise<{ code: number; text: string }> {
  const outside = fakeEnvironment({ args });
  const code = await runProgram(outside, build);
  return { code, text: outside.out + outside.err };
}
