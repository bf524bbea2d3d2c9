import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ManualClock } from "../core/clock.ts";
import { Counters } from "../core/counters.ts";
import { isKind } from "../core/errors.ts";
import type { ErrorKind } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { parseToken } from "../core/token.ts";
import { assertNoLeaks } from "../test/helpers/leaks.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { createAuthenticator } from "./authenticate.ts";
import { serverKeyOf } from "./server_key.ts";
import { issueToken, secretHash, sessionPsk } from "./token.ts";
import { openTokenStore } from "./token_store.ts";

const serverKey = serverKeyOf(new Uint8Array(32).fill(1));
const READ = { verbs: ["read"] } as const;

async function withStore(
  work: (world: {
    dir: string;
    clock: ManualClock;
    counters: Counters;
    open: (counters?: Counters) => ReturnType<typeof openTokenStore>;
  }) => Promise<void>,
): Promise<void> {
  await using folder = await tempDir();
  const clock = new ManualClock();
  const counters = new Counters();
  const open = (own = counters) =>
    openTokenStore(folder.join("auth.sqlite"), { serverKey, clock, counters: own });
  await assertNoLeaks(() => work({ dir: folder.path, clock, counters, open }));
}

const rejectsAs = (promise: Promise<unknown>, kind: ErrorKind) =>
  assert.rejects(promise, (thrown) => isKind(thrown, kind) && !thrown.message.includes("vrc_"));

Deno.test("TokenStore.create() gives a token that names this server and is found by its id", () =>
  withStore(async ({ open }) => {
    using store = open();
    const { token, info } = await store.create("ci", { verbs: ["read", "write"] });
    const parsed = parseToken(token);
    assert.ok(parsed?.type === "issued");
    assert.deepEqual(parsed.serverKey, serverKey.publicKey);
    assert.equal(parsed.id, info.id);
    const stored = store.find(info.id);
    assert.deepEqual(new Uint8Array(stored!.hash), secretHash(parsed.secret));
    assert.deepEqual(store.psk(info.id), sessionPsk(parsed.secret));
    assert.deepEqual(stored?.info.namespaces, ["default"]);
    assert.equal(stored?.info.scope, "main");
    assert.deepEqual(stored?.info.readScopes, ["main"]);
    assert.equal(store.find("0".repeat(16)), undefined);
  }));

Deno.test("TokenStore.create() fills in defaults: own scope first, then main; admin is for every namespace", () =>
  withStore(async ({ open }) => {
    using store = open();
    const pr = (await store.create("pr", { verbs: ["write"], scope: "pr/12" })).info;
    assert.deepEqual(pr.readScopes, ["pr/12", "main"]);
    const admin = (await store.create("boss", { verbs: ["admin"], namespaces: ["a"] })).info;
    assert.deepEqual(admin.namespaces, ["*"]);
  }));

Deno.test("TokenStore keeps tokens over a restart, in files that others can not read, without secrets", () =>
  withStore(async ({ dir, open }) => {
    const seen: { token: string; id: string }[] = [];
    {
      using store = open();
      const made = await store.create("ci", READ);
      seen.push({ token: made.token, id: made.info.id });
      for (const file of Deno.readDirSync(dir)) {
        const path = join(dir, file.name);
        assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600, file.name);
        const bytes = Deno.readFileSync(path);
        const secret = parseToken(made.token)!.secret.reveal();
        for (const hidden of [secret, sessionPsk(new Secret(secret))]) {
          assert.ok(!bytes.toHex().includes(hidden.toHex()), `${file.name} holds a secret`);
        }
        assert.ok(!new TextDecoder("latin1").decode(bytes).includes(made.token.slice(65)));
      }
    }
    using store = open();
    assert.equal(store.find(seen[0]!.id)?.info.name, "ci");
    const parsed = parseToken(seen[0]!.token)!;
    assert.deepEqual(store.psk(seen[0]!.id), sessionPsk(parsed.secret));
    const listed = await store.list();
    assert.ok(!JSON.stringify(listed).includes(seen[0]!.token.slice(65)));
  }));

Deno.test("TokenStore.create() refuses a name that was ever used, saying how to go on", () =>
  withStore(async ({ open }) => {
    using store = open();
    await store.create("ci", READ);
    await rejectsAs(store.create("ci", READ), "conflict");
    await store.revoke("ci");
    await assert.rejects(
      store.create("ci", READ),
      (thrown) => isKind(thrown, "conflict") && thrown.hint!.includes("token rotate ci"),
    );
  }));

Deno.test("TokenStore.rotate() gives a new id and secret with the same rights and ends the old at once", () =>
  withStore(async ({ open, clock }) => {
    using store = open();
    const rights = { verbs: ["write"], namespaces: ["a"], scope: "pr/1" } as const;
    const old = await store.create("ci", { ...rights, expires: clock.now() + 1000 });
    clock.advance(600);
    const fresh = await store.rotate("ci");
    assert.notEqual(fresh.info.id, old.info.id);
    assert.notEqual(fresh.token, old.token);
    assert.equal(store.find(old.info.id)?.info.revoked, clock.now());
    assert.deepEqual(fresh.info.readScopes, ["pr/1", "main"]);
    assert.deepEqual(fresh.info.namespaces, ["a"]);
    // As long a life as it had, from now.
    assert.equal(fresh.info.expires, clock.now() + 1000);
    assert.deepEqual((await store.list()).map((info) => info.id), [fresh.info.id, old.info.id]);
    await store.rotate("ci");
    assert.equal((await store.list()).filter((info) => info.revoked === undefined).length, 1);
    await rejectsAs(store.rotate("nobody"), "not_found");
  }));

Deno.test("TokenStore.revoke() keeps the row, can be called twice, and knows when there is none", () =>
  withStore(async ({ open, clock }) => {
    using store = open();
    await store.create("ci", READ);
    const first = await store.revoke("ci");
    clock.advance(5);
    assert.equal((await store.revoke("ci")).revoked, first.revoked);
    assert.equal((await store.list()).length, 1);
    await rejectsAs(store.revoke("nobody"), "not_found");
  }));

Deno.test("A revocation through one store is seen by the other thread's very next request", () =>
  withStore(async ({ open, clock, counters }) => {
    using here = open();
    // As another thread has it: its own view of the same buffer, its own connection.
    const shared = new Counters(counters.buffer);
    using there = open(shared);
    const authenticator = createAuthenticator({ store: there, clock, counters: shared });
    for (const end of [() => here.revoke("ci"), () => here.rotate("anne")]) {
      const name = end.toString().includes("ci") ? "ci" : "anne";
      const { token } = await here.create(name, READ);
      const ask = () => authenticator.authenticate(`Bearer ${token}`);
      assert.ok("principal" in ask());
      assert.ok("principal" in ask());
      await end();
      assert.equal((ask() as { failure: string }).failure, "revoked");
    }
  }));

Deno.test("TokenStore.addBrought() takes 32 characters, refuses less, blanks, and another server's", () =>
  withStore(async ({ open }) => {
    using store = open();
    const brought = new Secret("0123456789abcdef".repeat(2));
    const info = await store.addBrought(brought, "old-ci", READ);
    assert.equal(info.kind, "brought");
    assert.equal(store.find(info.id)?.info.name, "old-ci");
    await rejectsAs(store.addBrought(brought, "again", READ), "conflict");
    await rejectsAs(
      store.addBrought(new Secret("x".repeat(31)), "short", READ),
      "invalid_argument",
    );
    await rejectsAs(
      store.addBrought(new Secret("x ".repeat(31)), "gaps", READ),
      "invalid_argument",
    );
    const foreign = issueToken(serverKeyOf(new Uint8Array(32).fill(9)).publicKey);
    await rejectsAs(store.addBrought(foreign.text, "foreign", READ), "invalid_argument");
    const own = issueToken(serverKey.publicKey);
    assert.equal((await store.addBrought(own.text, "own", READ)).kind, "issued");
  }));

Deno.test("TokenStore.create() refuses bad names and rights and keeps nothing of them", () =>
  withStore(async ({ open, clock }) => {
    using store = open();
    for (const name of ["", "public", "a b", "a/b", "-a", "é", "x".repeat(65), "a\n"]) {
      await rejectsAs(store.create(name, READ), "invalid_argument");
    }
    const bad = [
      { verbs: [] },
      { verbs: ["fly"] },
      { verbs: ["read"], namespaces: [] },
      { verbs: ["read"], namespaces: ["UPPER"] },
      { verbs: ["read"], scope: "../main" },
      { verbs: ["read"], readScopes: [] },
      { verbs: ["read"], readScopes: ["*"] },
      { verbs: ["read"], expires: clock.now() },
      { verbs: ["read"], expires: NaN },
      { verbs: ["read"], expires: 1.5e300 },
    ];
    for (const rights of bad) {
      await rejectsAs(store.create("ci", rights as unknown as typeof READ), "invalid_argument");
    }
    assert.equal(store.isEmpty(), true);
  }));

Deno.test("openTokenStore() refuses another server key, another version, and what is no database", () =>
  withStore(async ({ dir, open, clock, counters }) => {
    using store = open();
    store[Symbol.dispose]();
    const path = join(dir, "auth.sqlite");
    const other = serverKeyOf(new Uint8Array(32).fill(2));
    assert.throws(
      () => openTokenStore(path, { serverKey: other, clock, counters }),
      (thrown) => isKind(thrown, "invalid_argument") && thrown.hint!.includes("server.key"),
    );
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 3");
    database.close();
    assert.throws(open, (thrown) => isKind(thrown, "unsupported"));
    for (const file of [...Deno.readDirSync(dir)]) Deno.removeSync(join(dir, file.name));
    Deno.writeTextFileSync(path, "no database at all ".repeat(100));
    assert.throws(open, (thrown) => isKind(thrown, "corrupt"));
    Deno.removeSync(path);
  }));

Deno.test("TokenStore.psk() opens nothing that was moved to another token or damaged", () =>
  withStore(async ({ dir, open }) => {
    using store = open();
    const a = (await store.create("a", READ)).info.id;
    const b = (await store.create("b", READ)).info.id;
    const database = new DatabaseSync(join(dir, "auth.sqlite"));
    database.prepare("UPDATE tokens SET psk = (SELECT psk FROM tokens WHERE id = ?) WHERE id = ?")
      .run(a, b);
    assert.throws(() => store.psk(b), (thrown) => isKind(thrown, "corrupt"));
    database.prepare("UPDATE tokens SET psk = zeroblob(60) WHERE id = ?").run(a);
    assert.throws(() => store.psk(a), (thrown) => isKind(thrown, "corrupt"));
    database.prepare("UPDATE tokens SET psk = x'00' WHERE id = ?").run(a);
    assert.throws(() => store.psk(a), (thrown) => isKind(thrown, "corrupt"));
    database.close();
  }));

Deno.test("TokenStore.touch() notes the latest use, and a disk that refuses it closes nothing", () =>
  withStore(async ({ open, counters }) => {
    using store = open();
    const { id } = (await store.create("ci", READ)).info;
    store.touch(id, 500);
    store.touch(id, 400);
    assert.equal(store.find(id)?.info.lastUsed, 500);
    store[Symbol.dispose]();
    store.touch(id, 600);
    assert.equal(counters.get("masked_errors"), 1);
  }));
