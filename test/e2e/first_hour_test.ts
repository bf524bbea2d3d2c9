/** From an empty folder to the first hit: the commands that a person types, counted. */
import assert from "node:assert/strict";
import { install, PROGRAM, Terminal } from "../helpers/terminal.ts";
import { tempDir } from "../helpers/temp.ts";

const MOST = 5;
Deno.test(`first hour: from an empty folder to ccache's first hit in ${MOST} commands`, async () => {
  await using folder = await tempDir();
  const home = folder.path;
  await install(home);
  await Deno.writeTextFile(`${home}/hello.c`, "int main(void) { return 0; }\n");
  const terminal = new Terminal(home);

  await using _server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
  const set = await terminal.type(`${PROGRAM} setup ccache --write`);
  assert.match(set, /ccache\.conf written/);
  await terminal.type("ccache gcc -c hello.c -o hello.o");
  const first = await Deno.readFile(`${home}/hello.o`);
  await terminal.type("rm -r .cache/ccache hello.o");
  await terminal.type("ccache gcc -c hello.c -o hello.o");

  const stats = new Map(
    (await terminal.look("ccache --print-stats")).stdout.trim().split("\n")
      .map((line) => line.split("\t") as [string, string]),
  );
  const count = (name: string) => Number(stats.get(name));
  assert.equal(count("direct_cache_hit") + count("preprocessed_cache_hit"), 1);
  assert.ok(count("remote_storage_hit") >= 1, "it came from the server");
  assert.equal(count("cache_miss"), 0);
  assert.equal(count("remote_storage_error"), 0);
  assert.deepEqual(await Deno.readFile(`${home}/hello.o`), first);
  const { mode } = await Deno.stat(`${home}/.config/ccache/ccache.conf`);
  assert.equal(mode! & 0o777, 0o600);
  assert.ok(terminal.typed.length <= MOST, terminal.typed.join("\n"));
  console.info(`${terminal.session}\n${terminal.typed.length} commands to the first hit`);
});

Deno.test("first hour: setup once more keeps the token, and the settings are as they were", async () => {
  await using folder = await tempDir();
  const home = folder.path;
  await install(home);
  const terminal = new Terminal(home);
  await using _server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
  await terminal.type(`${PROGRAM} setup ccache gradle turborepo --write`);
  const read = async () =>
    await Promise.all(
      [".config/ccache/ccache.conf", ".gradle/init.d/vitte-remote-cache.gradle"]
        .concat(".config/vitte-remote-cache/env.sh")
        .map((path) => Deno.readTextFile(`${home}/${path}`)),
    );
  const before = await read();
  const again = await terminal.type(`${PROGRAM} setup ccache gradle turborepo --write`);
  assert.equal(again.match(/ unchanged\n/g)?.length, 3, again);
  assert.deepEqual(await read(), before);
  const listed = await terminal.type(
    `${PROGRAM} token list --json --url $(cat .cache/vitte-remote-cache/address) ` +
      "--token-file .cache/vitte-remote-cache/admin.token",
  );
  const tokens: { name: string; allow: string[] }[] = JSON.parse(listed);
  assert.equal(tokens.length, 4, listed);
  for (const { name, allow } of tokens.filter((one) => one.name !== "admin")) {
    assert.match(name, /^(ccache|gradle|turborepo)-\w+@/);
    assert.deepEqual(allow, ["read", "write"]);
  }
});

Deno.test("first hour: a token in the settings is kept only while it does what it should", async (t) => {
  await using folder = await tempDir();
  const home = folder.path;
  await install(home);
  const terminal = new Terminal(home);
  await using _server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
  const admin = "--url $(cat .cache/vitte-remote-cache/address) " +
    "--token-file .cache/vitte-remote-cache/admin.token";
  const present = async () => {
    const text = await Deno.readTextFile(`${home}/.config/ccache/ccache.conf`);
    return /bearer-token=([^|\n]+)/.exec(text)![1]!;
  };
  await terminal.type(`${PROGRAM} setup ccache --write`);
  const first = await present();
  await t.step("a revoked one is replaced", async () => {
    const list = await terminal.look(`${PROGRAM} token list --json ${admin}`);
    const name = JSON.parse(list.stdout).find((one: { name: string }) =>
      one.name.startsWith("ccache")
    ).name;
    await terminal.type(`${PROGRAM} token revoke ${name} ${admin}`);
    const said = await terminal.type(`${PROGRAM} setup ccache --write`);
    assert.match(said, /renewed the token ccache-/);
    assert.notEqual(await present(), first);
  });
  const second = await present();
  await t.step("one that may write is replaced where only reads are wanted", async () => {
    const said = await terminal.type(`${PROGRAM} setup ccache --write --read-only`);
    assert.match(said, /made the token ccache-\S+-read/);
    assert.notEqual(await present(), second);
  });
  await t.step("one for another namespace is replaced", async () => {
    const said = await terminal.type(`${PROGRAM} setup ccache --write --namespace team`);
    assert.match(said, /made the token ccache-\S+-team/);
  });
});

Deno.test("first hour: setup sends no token to a server that can not prove who it is", async () => {
  await using folder = await tempDir();
  const home = folder.path;
  await install(home);
  const terminal = new Terminal(home);
  await using _server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
  const seen: (string | null)[] = [];
  await using other = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    seen.push(request.headers.get("authorization"));
    const answer = { server_key: "A".repeat(43), host: "x", proof: "A".repeat(43) };
    return Response.json(answer, { headers: { "vitte-request-id": "1" } });
  });
  const url = `http://127.0.0.1:${other.addr.port}`;
  const { code, stdout } = await terminal.look(`${PROGRAM} setup ccache --write --url ${url}`);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.ok(seen.length >= 1, "it was asked who it is");
  assert.deepEqual(seen.filter((one) => one !== null), []);
});

Deno.test("first hour: setup with a builder's token uses it, and says what it may not", async (t) => {
  await using folder = await tempDir();
  const home = folder.path;
  await install(home);
  const terminal = new Terminal(home);
  await using _server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
  const admin = "--url $(cat .cache/vitte-remote-cache/address) " +
    "--token-file .cache/vitte-remote-cache/admin.token";
  const url = "--url $(cat .cache/vitte-remote-cache/address)";
  await terminal.type(`${PROGRAM} token create ci --allow read,write ${admin} > ci.token`);
  await terminal.type(`${PROGRAM} token create pr --allow read ${admin} > pr.token`);
  await t.step("one that may write is taken as it is", async () => {
    const said = await terminal.type(`${PROGRAM} setup nx ${url} --token-file ci.token`);
    const token = (await Deno.readTextFile(`${home}/ci.token`)).trim();
    assert.ok(said.includes(`ACCESS_TOKEN='${token}'`));
  });
  await t.step("one that may only read makes the tool read-only", async () => {
    const said = await terminal.type(`${PROGRAM} setup gradle ${url} --token-file pr.token`);
    assert.match(said, /cache\.push = false/);
    assert.match(said, /Gradle may only take from the cache/);
  });
  await t.step("one for another namespace is refused with the command for a good one", async () => {
    const { code, stderr } = await terminal.look(
      `${PROGRAM} setup gradle --namespace team ${url} --token-file ci.token`,
    );
    assert.equal(code, 1);
    assert.match(stderr, /token create gradle-\S+ --allow read,write --namespace team/);
  });
  await t.step("none at all is refused with the way to get one", async () => {
    const elsewhere = `VITTE_CACHE_DIR=/nowhere ${PROGRAM} setup gradle ${url}`;
    const { code, stderr } = await terminal.look(elsewhere);
    assert.equal(code, 1);
    assert.match(stderr, /no token for http:/);
    assert.match(stderr, /hint: .*token create NAME/);
  });
  await t.step("a dry run makes no token and writes nothing", async () => {
    const said = await terminal.type(`${PROGRAM} setup gradle --write --dry-run`);
    assert.match(said, /\.gradle would be written/);
    assert.rejects(Deno.stat(`${home}/.gradle`));
    const list = await terminal.type(`${PROGRAM} token list ${admin}`);
    assert.doesNotMatch(list, /gradle/);
  });
});

Deno.test("first hour: setup writes no token into a repository", async () => {
  await using folder = await tempDir();
  const home = folder.path;
  await install(home);
  const terminal = new Terminal(home);
  await using _server = await terminal.start(`${PROGRAM} serve --port 0`, /admin.*\n/);
  // Somebody keeps his settings in Git.
  await terminal.type("git init -q . && touch .bazelrc && git add .bazelrc");
  const { code, stderr } = await terminal.look(`${PROGRAM} setup bazel --write`);
  assert.equal(code, 1);
  assert.match(stderr, /\.bazelrc is in a Git repository/);
  assert.equal(await Deno.readTextFile(`${home}/.bazelrc`), "");
});
