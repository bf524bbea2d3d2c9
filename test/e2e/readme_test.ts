/** What the README tells people to type exists. */
import assert from "node:assert/strict";
import type { Command } from "commander";
import { buildProgram } from "../../app/main.ts";
import * as library from "../../mod.ts";
import { ROOT } from "../helpers/paths.ts";

const README = await Deno.readTextFile(`${ROOT}/README.md`);
const TASKS = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)).tasks;

function program(): Command {
  const environment = {
    args: [],
    env: () => undefined,
    cwd: "/",
    stdin: () => new ReadableStream(),
    stdout: () => Promise.resolve(),
    stderr: () => {},
    interactive: false,
    askSecret: () => Promise.resolve(undefined),
    interrupted: new AbortController().signal,
    clock: { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() },
  };
  return buildProgram({ environment, end: () => {} }, { print: () => {} });
}

/** The lines of shell examples, continuation lines joined, comments cut off. */
function shellLines(): string[] {
  const blocks = [...README.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
  return blocks.join("\n").replaceAll("\\\n", " ").split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim()).filter((line) => line !== "");
}

Deno.test("README: every task that it names is a task", () => {
  const named = [...README.matchAll(/deno(?:@[\d.]+)? task (\w+)/g)].map((match) => match[1]!);
  assert.ok(named.includes("demo") && named.includes("test"));
  for (const task of named) assert.ok(task in TASKS, task);
});

Deno.test("README: every command and option that it shows is one", () => {
  const commands = shellLines().map((line) => {
    const own = /^\.\/vitte-remote-cache (.*)$/.exec(line)?.[1];
    const started = /deno@[\d.]+ task start(.*)$/.exec(line)?.[1];
    return own ?? (started === undefined ? undefined : `serve ${started}`);
  }).filter((line) => line !== undefined);
  assert.ok(commands.length >= 7, `${commands.length} commands`);
  for (const line of commands) {
    const words = line.replace(/[>|].*$/, "").trim().split(/\s+/);
    let command = program();
    while (words.length > 0) {
      const child = command.commands.find((one) => one.name() === words[0]);
      if (!child) break;
      command = child;
      words.shift();
    }
    assert.notEqual(command.name(), "vitte-remote-cache", line);
    const known = new Set(command.options.flatMap((option) => [option.long, option.short]));
    for (const word of words.filter((one) => one.startsWith("-") && one !== "-")) {
      assert.ok(known.has(word), `${line}: ${word}`);
    }
  }
});

Deno.test("README: what it imports from mod.ts is exported", () => {
  const imports = [...README.matchAll(/import \{([^}]*)\} from "\.\/mod\.ts"/g)]
    .flatMap((match) => match[1]!.split(",").map((name) => name.trim()));
  assert.ok(imports.length >= 2);
  for (const name of imports) assert.ok(name in library, name);
});
