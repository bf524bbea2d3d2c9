/** Completions in the shells themselves: sourced, asked, and every command and option is offered. */
import assert from "node:assert/strict";
import { buildProgram } from "../../app/main.ts";
import { bashCompletions } from "../../app/completions/bash.ts";
import { commandModels } from "../../app/completions/command_model.ts";
import type { CommandModel } from "../../app/completions/command_model.ts";
import { fishCompletions } from "../../app/completions/fish.ts";
import { zshCompletions } from "../../app/completions/zsh.ts";
import { fakeEnvironment } from "../helpers/fake_environment.ts";
import { run } from "../helpers/real_server.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";

const PROGRAM = "vitte-remote-cache";
const MODELS = commandModels(
  buildProgram({ environment: fakeEnvironment(), end() {} }, { print() {} }),
);

interface Shell {
  readonly name: string;
  script(models: readonly CommandModel[]): string;
  /** Lines of the shell that source `$1` and print what completes the words, one a line. */
  ask(words: readonly string[]): string;
}

const SHELLS: readonly Shell[] = [
  {
    name: "bash",
    script: bashCompletions,
    ask: (words) => `
      source "$1"
      complete -p ${PROGRAM} >/dev/null || exit 9
      COMP_WORDS=(${[PROGRAM, ...words].map((word) => `'${word}'`).join(" ")})
      COMP_CWORD=${words.length}
      _vitte_remote_cache
      printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  {
    name: "zsh",
    script: zshCompletions,
    // The line editor's own functions are put in place by ones that print what they are given.
    ask: (words) => `
      compdef() { [[ $2 == ${PROGRAM} ]] || exit 9 }
      compadd() { shift; print -l -- "$@" }
      _describe() { print -l -- "\${(P)2[@]%%:*}" }
      _files() { if [[ $1 == -/ ]]; then print -l -- *(/N); else print -l -- *(N); fi }
      source "$1"
      words=(${[PROGRAM, ...words].map((word) => `'${word}'`).join(" ")})
      CURRENT=${words.length + 1}
      _vitte_remote_cache`,
  },
  {
    name: "fish",
    script: fishCompletions,
    ask: (words) => `
      source $argv[1]
      complete -C '${[PROGRAM, ...words].join(" ")}' | string replace -r '\\t.*' ''
      true`,
  },
];

for (const shell of SHELLS) {
  const need = () => needProgram(shell.name);
  skippable(`completions of ${shell.name}`, { need }, async (t) => {
    await using folder = await tempDir();
    const script = `${folder.path}/script`;
    await Deno.writeTextFile(script, shell.script(MODELS));
    await Deno.mkdir(`${folder.path}/work/a folder`, { recursive: true });
    await Deno.writeTextFile(`${folder.path}/work/a file`, "");
    const complete = async (...words: string[]) => {
      const command = shell.name === "fish"
        ? ["fish", "--no-config", "-c", shell.ask(words), script]
        : [
          shell.name,
          ...(shell.name === "bash" ? ["--norc"] : ["-f"]),
          "-c",
          shell.ask(words),
          "x",
          script,
        ];
      const env = { HOME: folder.path };
      const { code, stdout, stderr } = await run(command, { cwd: `${folder.path}/work`, env });
      assert.equal(code, 0, stderr);
      assert.equal(stderr, "");
      return stdout.split("\n").filter((line) => line !== "");
    };

    await t.step("the script is one", async () => {
      const { code, stderr } = await run([shell.name, "-n", script]);
      assert.equal(code, 0, stderr);
    });
    await t.step("every command, and every command below it", async () => {
      for (const { path, children } of MODELS) {
        const found = await complete(...path.split(" ").filter((word) => word !== ""), "");
        for (const { name } of children) assert.ok(found.includes(name), `${path}: ${name}`);
      }
    });
    await t.step("every option of every command", async () => {
      for (const { path, options } of MODELS) {
        const words = path.split(" ").filter((word) => word !== "");
        const long = await complete(...words, "--");
        for (const { flags } of options) {
          assert.ok(long.includes(flags.at(-1)!), `${path} ${flags}`);
        }
      }
    });
    await t.step("values of options", async () => {
      assert.deepEqual((await complete("serve", "--access-log", "")).sort(), [
        "all",
        "errors",
        "none",
      ]);
      assert.deepEqual((await complete("setup", "--ci", "")).sort(), ["github", "gitlab"]);
      assert.deepEqual(await complete("ls", "--namespace", ""), []);
    });
    await t.step("values of arguments", async () => {
      const found = await complete("completions", "");
      for (const name of ["bash", "zsh", "fish"]) assert.ok(found.includes(name));
      assert.ok((await complete("setup", "ccache", "")).includes("turborepo"));
    });
    await t.step("files and folders", async () => {
      const plain = (lines: string[]) => lines.map((line) => line.replace(/\\|\/$/g, "")).sort();
      assert.deepEqual(plain(await complete("get", "k", "--output", "")), ["a file", "a folder"]);
      assert.deepEqual(plain(await complete("stats", "--dir", "")), ["a folder"]);
      assert.ok(plain(await complete("put", "k", "")).includes("a file"));
    });
  });
}
