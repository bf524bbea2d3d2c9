import assert from "node:assert/strict";
import { EntryInputSchema, parseJson } from "../../protocol/json.ts";
import { digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import type { RunFacts } from "./exec_key.ts";
import { execKey, explainingFacts, factsSecret } from "./exec_key.ts";

const digest = (text: string) => digestOf(new TextEncoder().encode(text));

const FACTS: RunFacts = {
  os: "linux",
  arch: "x86_64",
  salt: "",
  folder: "packages/app",
  words: ["gcc", "-c", "main.c"],
  programs: [digest("gcc")],
  variables: new Map([["CFLAGS", "-O2"], ["LANG", undefined]]),
  inputs: [
    { path: "main.c", kind: "file", digest: digest("main") },
    { path: "lib.h", kind: "file", digest: digest("lib") },
  ],
  outputs: ["main.o"],
  printed: true,
};
const SECRET = factsSecret({ serverKey: undefined, salt: "" });

/** One change each; every one must give another key. */
const CHANGES: Record<string, Partial<RunFacts>> = {
  os: { os: "darwin" },
  arch: { arch: "aarch64" },
  salt: { salt: "2" },
  folder: { folder: "packages/other" },
  words: { words: ["gcc", "-c main.c"] },
  "order of words": { words: ["gcc", "main.c", "-c"] },
  programs: { programs: [digest("gcc 13")] },
  interpreter: { programs: [digest("gcc"), digest("sh")] },
  "value of a variable": { variables: new Map([["CFLAGS", "-O3"], ["LANG", undefined]]) },
  "unset or empty": { variables: new Map([["CFLAGS", "-O2"], ["LANG", ""]]) },
  "name of a variable": { variables: new Map([["CXXFLAGS", "-O2"], ["LANG", undefined]]) },
  "contents of an input": {
    inputs: [{ ...FACTS.inputs[0]!, digest: EMPTY_DIGEST }, FACTS.inputs[1]!],
  },
  "path of an input": { inputs: [{ ...FACTS.inputs[0]!, path: "m.c" }, FACTS.inputs[1]!] },
  "x of an input": { inputs: [{ ...FACTS.inputs[0]!, kind: "program" }, FACTS.inputs[1]!] },
  "one input less": { inputs: FACTS.inputs.slice(1) },
  outputs: { outputs: ["main.o", "main.d"] },
  "no outputs": { outputs: [] },
  printed: { printed: false },
};

Deno.test("execKey is the same for the same facts, in whatever order they were found", () => {
  const other = {
    ...FACTS,
    inputs: FACTS.inputs.toReversed(),
    variables: new Map([...FACTS.variables].toReversed()),
  };
  assert.equal(execKey(other), execKey(FACTS));
  assert.match(execKey(FACTS), /^[0-9a-f]{64}$/);
});

Deno.test("execKey is that of format 1: a change of it would lose everybody's results", () => {
  assert.equal(
    execKey(FACTS),
    "206f6f8f2d62540f31c1416ac25e1889c4a8f3ae2912b18bf3eaac8b8f1df614",
  );
});

Deno.test("execKey is another one for every change", async (t) => {
  const seen = new Map([[execKey(FACTS), "nothing"]]);
  for (const [name, change] of Object.entries(CHANGES)) {
    await t.step(name, () => {
      const key = execKey({ ...FACTS, ...change });
      assert.equal(seen.get(key), undefined);
      seen.set(key, name);
    });
  }
});

Deno.test("explainingFacts differ just where the runs do, and never show a value", async (t) => {
  const before = explainingFacts({ ...FACTS, salt: "1" }, SECRET);
  const cases: [keyof typeof CHANGES, string[]][] = [
    ["arch", ["platform"]],
    ["folder", ["folder"]],
    ["words", ["command"]],
    ["programs", ["executable"]],
    ["value of a variable", ["env:CFLAGS"]],
    ["unset or empty", ["env:LANG"]],
    ["contents of an input", ["input:main.c"]],
    ["one input less", ["input:main.c"]],
    ["printed", ["outputs"]],
  ];
  for (const [name, wanted] of cases) {
    await t.step(String(name), () => {
      const after = explainingFacts({ ...FACTS, salt: "1", ...CHANGES[name] }, SECRET);
      const names = new Set([...Object.keys(before), ...Object.keys(after)]);
      assert.deepEqual([...names].filter((fact) => before[fact] !== after[fact]), wanted);
      for (const value of Object.values(after)) assert.match(value, /^sha256-[0-9a-f]{64}$/);
    });
  }
});

Deno.test("explainingFacts of variables are keyed: another server's say nothing here", () => {
  const serverKey = new Uint8Array(32).fill(7);
  const ours = explainingFacts(FACTS, factsSecret({ serverKey, salt: "" }));
  const theirs = explainingFacts(FACTS, SECRET);
  assert.notEqual(ours["env:CFLAGS"], theirs["env:CFLAGS"]);
  assert.notEqual(ours["env:CFLAGS"], digest("-O2"));
  assert.equal(ours.command, theirs.command);
});

Deno.test("explainingFacts stay within what an entry may carry, however many inputs there are", () => {
  for (const deep of ["", "very/".repeat(100)]) {
    const inputs = Array.from({ length: 20_000 }, (_, n) => ({
      path: `src/${n % 40}/${deep}${n}.c`,
      kind: "file" as const,
      digest: EMPTY_DIGEST,
    }));
    const variables = new Map(Array.from({ length: 999 }, (_, n) => [`V${n}`, "x"]));
    const facts = explainingFacts({ ...FACTS, inputs, variables }, SECRET);
    const json = JSON.stringify({ blobs: [{ digest: EMPTY_DIGEST, size: 0 }], inputs: facts });
    parseJson(EntryInputSchema, json, "the entry");
    const told = Object.keys(facts).filter((name) => name.startsWith("input:"));
    assert.equal(told.length, 40);
  }
});
