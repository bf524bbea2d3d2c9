import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "smol-toml";
import { ConfigError, problemLine } from "./problem.ts";
import { BACKENDS, printRepositoryConfig, readRepositoryConfig } from "./repository_config.ts";
import type { RepositoryConfig } from "./repository_config.ts";

const read = (text: string) =>
  readRepositoryConfig({ file: "FILE", text, table: parse(text), owner: null });

/** Everything that is said about a text; nothing if it is taken. */
async function refusals(text: string): Promise<string[]> {
  try {
    await read(text);
    return [];
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError, String(thrown));
    return thrown.problems.map((one) => problemLine(one) + (one.hint ? ` (${one.hint})` : ""));
  }
}

const inTable = (lines: string) => refusals(`[remote-cache]\n${lines}`);

Deno.test("A repository's configuration says what it may say, and may say nothing", async () => {
  assert.deepEqual(
    await read(
      '[remote-cache]\nurl = "https://cache.vitte.dev"\ntoken = "${VITTE_TOKEN}"\nbackend = "s3"',
    ),
    { url: "https://cache.vitte.dev", tokenVariable: "VITTE_TOKEN", backend: "s3" },
  );
  assert.deepEqual(await read('remote-cache.url = "http://127.0.0.1:8080/team/"'), {
    url: "http://127.0.0.1:8080/team/",
  });
  assert.deepEqual(await read('remote-cache = { token = "${VITTE_CI_2}" }'), {
    tokenVariable: "VITTE_CI_2",
  });
  for (const nothing of ["", "# nothing", "[remote-cache]"]) {
    assert.deepEqual(await read(nothing), {});
  }
});

Deno.test("parse ∘ print is the identity for what a repository says", async () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,12}$/);
  const url = fc.tuple(fc.constantFrom("https", "http"), name, fc.nat(65_535), name)
    .map(([scheme, host, port, path]) => `${scheme}://${host}.example:${port}/${path}`);
  const config: fc.Arbitrary<RepositoryConfig> = fc.record({
    url,
    tokenVariable: fc.stringMatching(/^VITTE_[A-Z0-9_]{1,64}$/),
    backend: fc.constantFrom(...BACKENDS),
  }, { requiredKeys: [], noNullPrototype: true });
  await fc.assert(fc.asyncProperty(config, async (given) => {
    assert.deepEqual(await read(printRepositoryConfig(given)), given);
  }));
});

Deno.test("Any text of a repository is taken or refused with places, and is no crash", async () => {
  const words = ["[remote-cache]", "url", "token", "=", '"', "'''", "${VITTE_X}", "\n", "[", "]"];
  const text = fc.array(fc.oneof(fc.constantFrom(...words, "{", "}", ".", ","), fc.string()))
    .map((parts) => parts.join(""));
  await fc.assert(fc.asyncProperty(text, async (given) => {
    let table;
    try {
      table = parse(given);
    } catch {
      return; // `readTomlFile` refuses it
    }
    try {
      await readRepositoryConfig({ file: "FILE", text: given, table, owner: null });
    } catch (thrown) {
      assert.ok(thrown instanceof ConfigError, String(thrown));
    }
  }));
});

Deno.test("hostile configuration: a token in the file, or another variable, is refused and not repeated", async (t) => {
  const table: Record<string, string> = {
    "a token itself": "vrc_0123456789abcdef_s3cret",
    "${AWS_SECRET_ACCESS_KEY}": "${AWS_SECRET_ACCESS_KEY}",
    "${GITHUB_TOKEN}": "${GITHUB_TOKEN}",
    "a variable without braces": "$VITTE_TOKEN",
    "a variable in small letters": "${vitte_token}",
    "a variable within a text": "s3cret${VITTE_TOKEN}",
    "two variables": "${VITTE_TOKEN}${AWS_SECRET_ACCESS_KEY}",
    "a name that goes on": "${VITTE_TOKEN:-s3cret}",
    "a command": "$(cat ~/.ssh/id_rsa)",
    "a prefix that is not ours": "${XVITTE_TOKEN}",
    "only the prefix": "${VITTE_}",
    "a line end behind it": "${VITTE_TOKEN}\\n",
    "nothing": "",
  };
  for (const [name, token] of Object.entries(table)) {
    await t.step(name, async () => {
      const [said, ...more] = await inTable(`token = "${token}"`);
      assert.match(said!, /^FILE:2:9: "remote-cache\.token": want "\$\{VITTE_TOKEN\}" or /);
      assert.deepEqual(more, []);
      assert.ok(!said!.includes("s3cret"), said);
    });
  }
});

Deno.test("A token of another type is told by its type alone", async () => {
  for (const [text, type] of [["123456", "a number"], ["true", "a boolean"], ["['s']", "a list"]]) {
    const [said] = await inTable(`token = ${text}`);
    assert.ok(said?.endsWith(`, found ${type}`), said);
  }
});

Deno.test("hostile configuration: a URL that is none, reads a file or a variable, or holds a password", async (t) => {
  const table: Record<string, [string, string]> = {
    "file://": ["file:///etc/passwd", "one that begins with file:"],
    "ftp://": ["ftp://cache.example", "one that begins with ftp:"],
    "javascript:": ["javascript:alert(1)", "one that begins with javascript:"],
    "user and password": ["https://user:s3cret@cache.example", "one with a user or password"],
    "a token as user": ["https://s3cret@cache.example", "one with a user or password"],
    "another host behind an @": ["https://cache.vitte.dev@evil.example", "one with a user or pass"],
    "a variable": ["https://${VITTE_TOKEN}.evil.example", "one with a variable in it"],
    "a foreign variable": ["https://e.example/${AWS_SECRET_ACCESS_KEY}", "one with a variable"],
    "a query": ["https://cache.example/?token=s3cret", "one with a query or fragment"],
    "a fragment": ["https://cache.example/#s3cret", "one with a query or fragment"],
    "a line end within": ["https://cache.example\\n.evil.example", "one with blanks"],
    "a tab within the scheme": ["ht\\ttps://evil.example", "one with blanks"],
    "backslashes": ["https:\\\\\\\\evil.example", "one with blanks, backslashes"],
    "no scheme": ["cache.example:s3cret", "one that begins with"],
    "a word": ["s3cret", "another text"],
    "nothing": ["", "another text"],
  };
  for (const [name, [url, found]] of Object.entries(table)) {
    await t.step(name, async () => {
      const [said, ...more] = await inTable(`url = "${url}"`);
      assert.match(
        said!,
        /^FILE:2:7: "remote-cache\.url": want a URL such as https:\/\/.*, found /,
      );
      assert.ok(said!.includes(`found ${found}`), said);
      assert.deepEqual(more, []);
      assert.ok(!said!.includes("s3cret"), said);
    });
  }
});

Deno.test("hostile configuration: it can not allow plain HTTP, choose a folder, or set anything else", async () => {
  for (const key of ["insecure", "dir", "token-file", "allow-insecure", "proxy", "namespace"]) {
    const [said] = await inTable(`${key} = true`);
    assert.match(said!, /: want one of url, token, backend, found an unknown key/, key);
  }
});

Deno.test("Keys that are unknown are refused, and the nearest one is named", async () => {
  const hints: [string, string | undefined][] = [
    ["ulr", "did you mean url?"],
    ["URL", "did you mean url?"],
    ["tokn", "did you mean token?"],
    ["back_end", "did you mean backend?"],
    ["colour", undefined],
    ["__proto__", undefined],
    ["constructor", undefined],
    ["hasOwnProperty", undefined],
  ];
  for (const [key, hint] of hints) {
    const [said, ...more] = await inTable(`${key} = 1`);
    assert.ok(said?.startsWith(`FILE:2:1: "remote-cache.${key}": want one of url, `), said);
    assert.equal(/\((.*)\)$/.exec(said!)?.[1], hint);
    assert.deepEqual(more, []);
  }
  const long = await inTable(`${"k".repeat(5000)} = 1`);
  assert.ok(long[0]!.length < 300);
});

Deno.test("Several problems are told at once, in the order of the file", async () => {
  const text = `url = "https://a.example"
[remote_cache]
x = 1
[remote-cache]
backend = 7
url = true
token = ["\${VITTE_TOKEN}"]
"a.b" = 1
`;
  assert.deepEqual(await refusals(text), [
    'FILE:1:1: "url": want one of remote-cache, found an unknown key (put it below a line [remote-cache])',
    'FILE:2:1: "remote_cache": want one of remote-cache, found an unknown key (did you mean remote-cache?)',
    'FILE:5:11: "remote-cache.backend": want one of fs, s3, redis, sftp, http, memory, found the number 7',
    'FILE:6:7: "remote-cache.url": want a URL such as https://cache.example.com, without user, query or variables, found a boolean',
    'FILE:7:9: "remote-cache.token": want "${VITTE_TOKEN}" or another variable that begins with VITTE_, found a list',
    'FILE:8:1: "remote-cache.a.b": want one of url, token, backend, found an unknown key',
  ]);
  for (const wrong of ["remote-cache = 1", "[[remote-cache]]", "remote-cache = 2026-11-25"]) {
    const [said] = await refusals(wrong);
    assert.match(said!, /^FILE:1:\d+: "remote-cache": want the table \[remote-cache\], found /);
  }
});
