import assert from "node:assert/strict";
import * as v from "valibot";
import { isKind } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { fakeEnvironment } from "../../test/helpers/fake_environment.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import { KnownServers } from "./known_servers.ts";
import { OriginFiles, userFolder } from "./user_folder.ts";

const schema = v.object({ origin: v.string(), count: v.number() });
const A = "https://cache.example:8443";
const B = "http://[::1]:8080";

Deno.test("userFolder() is XDG_CONFIG_HOME's, else HOME's, and none without", () => {
  const folder = (env: Record<string, string>) => userFolder(fakeEnvironment({ env }));
  assert.equal(folder({ XDG_CONFIG_HOME: "/c", HOME: "/h" }), "/c/vitte-remote-cache");
  assert.equal(folder({ XDG_CONFIG_HOME: "", HOME: "/h" }), "/h/.config/vitte-remote-cache");
  assert.equal(folder({ XDG_CONFIG_HOME: "c", HOME: "/h" }), "/h/.config/vitte-remote-cache");
  for (const env of [{}, { HOME: "" }, { HOME: "relative" }]) assert.equal(folder(env), undefined);
});

Deno.test("OriginFiles keeps one file an origin, for this user alone, and forgets it", async () => {
  await using dir = await tempDir();
  const files = new OriginFiles(dir.join("new/logins"), { schema, what: "login" });
  assert.deepEqual([files.get(A), files.list(), files.delete(A)], [undefined, [], false]);
  files.put({ origin: A, count: 1 });
  files.put({ origin: B, count: 2 });
  files.put({ origin: A, count: 3 });
  assert.deepEqual(files.list(), [{ origin: B, count: 2 }, { origin: A, count: 3 }]);
  for (const name of await listFiles(dir.join("new/logins"))) {
    assert.equal(Deno.statSync(dir.join("new/logins", name)).mode! & 0o777, 0o600, name);
  }
  assert.equal(Deno.statSync(dir.join("new/logins")).mode! & 0o777, 0o700);
  assert.deepEqual([files.delete(A), files.delete(A)], [true, false]);
  assert.deepEqual(files.list(), [{ origin: B, count: 2 }]);
});

Deno.test("OriginFiles refuses a file that others may read, and one that holds something else", async () => {
  await using dir = await tempDir();
  const files = new OriginFiles(dir.path, { schema, what: "login" });
  files.put({ origin: A, count: 1 });
  await Deno.chmod(files.pathOf(A), 0o640);
  assert.throws(
    () => files.get(A),
    (thrown) => isKind(thrown, "permission_denied") && thrown.hint!.startsWith("run: chmod 600"),
  );
  await Deno.chmod(files.pathOf(A), 0o600);
  const others = ["", "{", "[]", '{"origin":"https://cache.example:8443"}', "s3cret"];
  for (const text of [...others, JSON.stringify({ origin: B, count: 1 })]) {
    await Deno.writeTextFile(files.pathOf(A), text);
    assert.throws(
      () => files.list(),
      (thrown) => isKind(thrown, "corrupt") && !thrown.message.includes("s3cret"),
      text,
    );
  }
});

Deno.test("OriginFiles.put() leaves the old file whole when it fails, and nothing else", async () => {
  await using dir = await tempDir();
  const files = new OriginFiles(dir.path, { schema, what: "login" });
  // A folder in the file's place can not be replaced by a file.
  await Deno.mkdir(`${files.pathOf(A)}/x`, { recursive: true });
  assert.throws(
    () => files.put({ origin: A, count: 1 }),
    (thrown) => thrown instanceof Error && thrown.message.startsWith('Cannot write the login "'),
  );
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), [
    encodeURIComponent(A) + ".json",
  ]);
});

Deno.test("KnownServers hides its tokens, and knows nothing where there is no home or no way in", async () => {
  await using dir = await tempDir();
  const known = new KnownServers(fakeEnvironment({ env: { HOME: dir.path } }));
  const login = { origin: A, url: `${A}/team`, token: new Secret("s3cret"), since: 1 };
  known.logIn(login);
  assert.equal(known.login(A)?.token.reveal(), "s3cret");
  assert.ok(!Deno.inspect(known.logins(), { depth: 9 }).includes("s3cret"));
  known.remember(A, "key", 7);
  assert.deepEqual([known.proved(A, "key"), known.proved(A, "other"), known.proved(B, "key")], [
    7,
    undefined,
    undefined,
  ]);
  assert.deepEqual([known.logOut(A), known.login(A), known.proved(A, "key")], [
    true,
    undefined,
    undefined,
  ]);
  await Deno.writeTextFile(dir.join("file"), "");
  for (const env of [{}, { HOME: dir.join("file") }] as Record<string, string>[]) {
    const nothing = new KnownServers(fakeEnvironment({ env }));
    assert.deepEqual([nothing.login(A), nothing.logins(), nothing.proved(A, "key")], [
      undefined,
      [],
      undefined,
    ]);
  }
});
