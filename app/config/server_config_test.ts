import assert from "node:assert/strict";
import fc from "fast-check";
import { stringify } from "smol-toml";
import type { Command } from "commander";
import { fakeEnvironment } from "../../test/helpers/fake_environment.ts";
import { ROOT } from "../../test/helpers/paths.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { buildProgram } from "../main.ts";
import { readServerConfig } from "../commands/serve.ts";
import { findRepositoryConfig } from "./find_repository_config.ts";
import { ConfigError } from "./problem.ts";
import { serverKeys } from "./server_config.ts";

function serveCommand(): Command {
  const program = buildProgram({ environment: fakeEnvironment(), end() {} }, { print() {} });
  return program.commands.find((command) => command.name() === "serve")!;
}

/** The options of `serve` after the file was read over these words. */
async function read(file: string, env: Record<string, string> = {}, words: string[] = []) {
  const serve = serveCommand();
  serve.parseOptions(words);
  await readServerConfig(fakeEnvironment({ env }), serve, file);
  return serve.opts();
}

/** What the file says of namespaces. */
async function quotasOf(file: string) {
  return (await readServerConfig(fakeEnvironment(), serveCommand(), file)).quotas;
}

/** A value for each key, as it may stand in a file. */
const EXAMPLES: Readonly<Record<string, unknown>> = {
  dir: "/srv/cache",
  host: "0.0.0.0",
  port: 9000,
  threads: 3,
  "max-size": "50GiB",
  "max-blob-size": 1_000_000,
  "public-url": "https://cache.example.com",
  "allowed-host": ["cache.example.com", "cache"],
  "public-read": ["open"],
  "tls-cert": "/etc/cert.pem",
  "tls-key": "/etc/key.pem",
  "access-log": "all",
};

Deno.test("Every flag of serve is a key of its file, with the flag's own rules", async () => {
  await using dir = await tempDir();
  const keys = [...serverKeys(serveCommand()).keys()];
  assert.ok(keys.length >= Object.keys(EXAMPLES).length);
  for (const key of Object.keys(EXAMPLES)) assert.ok(keys.includes(key), key);
  assert.ok(!keys.includes("config") && !keys.includes("json") && !keys.includes("help"));
  const file = dir.join("server.toml");
  await Deno.writeTextFile(file, stringify(EXAMPLES));
  const { config: _config, json: _json, ...options } = await read(file);
  const words = Object.entries(EXAMPLES).flatMap(([key, value]) => [
    `--${key}`,
    ...[value].flat().map(String),
  ]);
  const serve = serveCommand();
  serve.parseOptions(words);
  assert.deepEqual(options, serve.opts());
});

Deno.test("parse ∘ print is the identity for a server's configuration", async () => {
  await using dir = await tempDir();
  const file = dir.join("server.toml");
  const host = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
  const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((one) => !one.includes("\0"));
  const config = fc.record({
    host: fc.oneof(host, text),
    port: fc.nat(65_535),
    threads: fc.integer({ min: 1, max: 64 }),
    "max-blob-size": fc.nat(2 ** 50),
    "public-url": host.map((name) => `https://h${name.length}.example/${name}`),
    "allowed-host": fc.array(text),
    "public-read": fc.array(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/)),
    "tls-key": fc.stringMatching(/^\/[a-z]{1,9}$/),
    "access-log": fc.constantFrom("errors", "all", "none"),
  }, { requiredKeys: [], noNullPrototype: true });
  await fc.assert(
    fc.asyncProperty(config, async (given) => {
      await Deno.writeTextFile(file, stringify(given));
      const options = await read(file);
      const keys = serverKeys(serveCommand());
      for (const [key, value] of Object.entries(given)) {
        assert.deepEqual(options[keys.get(key)!.attributeName()], value, key);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("Flags beat the file of a server, so does VITTE_CACHE_DIR, and paths begin at its folder", async () => {
  await using dir = await tempDir();
  const file = dir.join("server.toml");
  await Deno.writeTextFile(file, 'dir = "data"\nport = 9000\ntls-cert = "../c.pem"\n');
  const plain = await read(file);
  assert.deepEqual([plain.dir, plain.port, plain.host], [dir.join("data"), 9000, "127.0.0.1"]);
  assert.equal(plain.tlsCert, dir.path.replace(/\/[^/]*$/, "/c.pem"));
  const flags = await read(file, {}, ["--port", "8080", "--dir", "here"]);
  assert.deepEqual([flags.port, flags.dir], [8080, "here"]);
  const named = await read(file, { VITTE_CACHE_DIR: "/srv" });
  assert.equal(named.dir, undefined, "the environment's folder is taken");
});

Deno.test("docs/configuration.md: its files are taken as they stand there", async () => {
  await using dir = await tempDir();
  const text = await Deno.readTextFile(`${ROOT}/docs/configuration.md`);
  const [repository, server, quotas, ...more] = [...text.matchAll(/```toml\n([\s\S]*?)```/g)]
    .map((match) => match[1]!);
  assert.deepEqual(more, []);
  await Deno.mkdir(dir.join(".vitte"));
  await Deno.writeTextFile(dir.join(".vitte/config.toml"), repository!);
  assert.deepEqual((await findRepositoryConfig(dir.path))?.config, {
    url: "https://cache.vitte.dev",
    tokenVariable: "VITTE_TOKEN",
    backend: "s3",
  });
  await Deno.writeTextFile(dir.join("server.toml"), server!);
  assert.equal((await read(dir.join("server.toml"))).port, 8443);
  await Deno.writeTextFile(dir.join("quotas.toml"), quotas!);
  assert.deepEqual(await quotasOf(dir.join("quotas.toml")), [{
    namespace: "team-a",
    bytes: 20 * 1024 ** 3,
    entries: 500_000,
    scopes: [{ pattern: "pr/*", bytes: 5 * 1024 ** 3 }],
  }]);
  const keys = [...text.matchAll(/^\| `(url|token|backend)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(keys, ["url", "token", "backend"]);
});

Deno.test("A server's configuration is refused as a whole: unknown keys, tables, wrong values", async () => {
  await using dir = await tempDir();
  const file = dir.join("server.toml");
  const table: Record<string, string> = {
    "port = -1": '1:8: "port": want 0 to 65535, found the number -1',
    "port = 80.5": '1:8: "port": want a number, found the number 80.5',
    'port = "http"': '1:8: "port": want 0 to 65535, found "http"',
    "port = [80]": '1:8: "port": want a number, found a list',
    "maxSize = 1": '1:1: "maxSize": want one of dir, host,',
    'max-size = "1MiB"': '1:12: "max-size": want at least 16MiB, or none, found "1MiB"',
    "[serve]\nport = 80": '1:1: "serve": want one of dir, host,',
    "dir = 1979-05-27": '1:7: "dir": want a path, found a date',
    'allowed-host = ["a", 1.5]': '1:16: "allowed-host": want a name, found the number 1.5',
    "config = 'other.toml'": '1:1: "config": want one of dir, host,',
    "namespaces = 5": '1:14: "namespaces": want a table, found the number 5',
    "[namespace.a]\nmax-size = 1": ' "namespace": want one of dir, host,',
    "[namespaces]\na = 1": '2:5: "namespaces.a": want a table, found the number 1',
    "[namespaces.A]\nmax-size = 1": '1:1: "namespaces.A": want a name of a-z',
    '[namespaces.a]\nmax-size = "much"': '2:12: "namespaces.a.max-size": want a size such as 20GiB',
    "[namespaces.a]\nmax-entries = 0.5": '2:15: "namespaces.a.max-entries": want a whole number',
    "[namespaces.a]\nmaxsize = 1": '2:1: "namespaces.a.maxsize": want one of max-size,',
    '[namespaces.a.scopes."pr/*"]\nmax = 1': '2:1: "namespaces.a.scopes.pr/*.max": want one of',
    '[namespaces.a.scopes]\nmain = "1GiB"':
      '2:8: "namespaces.a.scopes.main": want a table, found "1GiB"',
  };
  for (const [text, wanted] of Object.entries(table)) {
    await Deno.writeTextFile(file, text);
    await assert.rejects(read(file), (thrown) => {
      assert.ok(thrown instanceof ConfigError, String(thrown));
      assert.ok(thrown.message.startsWith(`${file}:${wanted}`), thrown.message);
      return true;
    }, text);
  }
});
