import assert from "node:assert/strict";
import { foldName, isGitName, linkEscapes, problemOfPath } from "./tree_path.ts";

Deno.test("problemOfPath() takes the names that real trees have", () => {
  for (
    const path of [
      "a",
      "node_modules/.bin/tsc",
      "@scope/pkg/index.d.ts",
      "...",
      "..a",
      "a..",
      ".gitignore",
      "with blank/and\\backslash",
      "文/é",
      "digital.git",
      "x.git/config",
      "\n",
    ]
  ) assert.equal(problemOfPath(path), undefined, path);
});

Deno.test("isGitName() knows git's folder by all its names, and nothing else", () => {
  const its = [".git", ".GIT", ".Git", ".git.", ".git ", ".git. .", "git~1", "GIT~1", ".git::$x"];
  for (const name of [...its, "\u200b.git", ".gi\u200dt", "\ufeff.git"]) {
    assert.equal(isGitName(name), true, JSON.stringify(name));
  }
  for (const name of [".gitignore", "git", ".gi", "agit", "git~2", "x.git", "ⓖit"]) {
    assert.equal(isGitName(name), false, name);
  }
});

Deno.test("foldName() makes one of names that a file system may take for one", () => {
  for (const [a, b] of [["A", "a"], ["É", "é"], ["é", "e\u0301"], ["ß", "SS"], ["Σ", "ς"]]) {
    assert.equal(foldName(a!), foldName(b!), `${a} ${b}`);
  }
  assert.notEqual(foldName("a"), foldName("b"));
});

Deno.test("linkEscapes() goes by the way, not by where it ends", () => {
  for (
    const [path, target] of [
      ["a", "b"],
      ["a", "./b"],
      ["node_modules/.bin/x", "../x/cli.js"],
      ["a/b/c", "../../d"],
      ["a/b/c", "../.."],
      ["a", "."],
      ["a", "..b/c"],
    ] as const
  ) assert.equal(linkEscapes(path, target), false, `${path} -> ${target}`);
  for (
    const [path, target] of [
      ["a", "/etc/passwd"],
      ["a", ".."],
      ["a/b", "../../x"],
      // Inside by the text, but `b` may lead anywhere.
      ["a/c", "b/../d"],
      ["a", "./../x"],
    ] as const
  ) assert.equal(linkEscapes(path, target), true, `${path} -> ${target}`);
});
