/** Nobody gets more rights from `auth.sqlite` than he was given, whatever happens to the file. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { ManualClock } from "../core/clock.ts";
import { Counters } from "../core/counters.ts";
import { isKind } from "../core/errors.ts";
import type { CacheError } from "../core/errors.ts";
import { parseToken } from "../core/token.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { serverKeyOf } from "./server_key.ts";
import { openTokenStore } from "./token_store.ts";

const serverKey = serverKeyOf(new Uint8Array(32).fill(1));
const clock = new ManualClock();
const RIGHTS = { verbs: ["read"], namespaces: ["team-a"], scope: "pr/1" } as const;

/** A store with a token, closed; `open` opens it and notes what it hears of damage. */
async function withToken(
  work: (world: {
    path: string;
    id: string;
    heard: CacheError[];
    open: () => ReturnType<typeof openTokenStore>;
    edit: (sql: string) => void;
  }) => Promise<void> | void,
): Promise<void> {
  await using dir = await tempDir();
  const path = dir.join("auth.sqlite");
  const heard: CacheError[] = [];
  const onDamage = (error: CacheError) => void heard.push(error);
  const open = () => openTokenStore(path, { serverKey, clock, counters: new Counters(), onDamage });
  let id: string;
  {
    using store = open();
    id = parseToken((await store.create("ci", RIGHTS)).token)!.id;
  }
  const edit = (sql: string) => {
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
  };
  await work({ path, id, heard, open, edit });
}

const EDITS: Readonly<Record<string, string>> = {
  "verbs": `UPDATE tokens SET verbs = '["admin"]'`,
  "namespaces": `UPDATE tokens SET namespaces = '["*"]'`,
  "scope": "UPDATE tokens SET scope = 'main'",
  "read scopes": `UPDATE tokens SET read_scopes = '["main"]'`,
  "a far expiry": "UPDATE tokens SET expires = 9e15",
  "a name that is somebody else's": "UPDATE tokens SET name = 'root'",
  "another secret": "UPDATE tokens SET hash = zeroblob(32)",
  "no voucher": "UPDATE tokens SET mac = NULL",
  "a text that is no list": "UPDATE tokens SET verbs = 'x'",
};

for (const [what, sql] of Object.entries(EDITS)) {
  Deno.test(`a token whose row was edited lets nobody in, and is told of: ${what}`, () =>
    withToken(({ id, heard, open, edit }) => {
      edit(sql);
      using store = open();
      store.check();
      assert.equal(store.find(id), undefined);
      assert.equal(store.find(id), undefined);
      assert.equal(heard.length, 1, "once");
      assert.equal(heard[0]!.kind, "corrupt");
    }));
}

Deno.test("a revocation that was taken back in the file is no way in", () =>
  withToken(async ({ id, open, edit }) => {
    {
      using store = open();
      await store.revoke("ci");
      assert.notEqual(store.find(id)?.info.revoked, undefined);
    }
    edit("UPDATE tokens SET revoked = NULL");
    using store = open();
    assert.equal(store.find(id), undefined);
  }));

Deno.test("an edited token is listed without a right, can be revoked, and passes none on", () =>
  withToken(async ({ id, open, edit }) => {
    edit(EDITS["verbs"]!);
    using store = open();
    const [info] = await store.list();
    assert.deepEqual([info!.name, info!.verbs, info!.namespaces], ["ci", [], []]);
    await assert.rejects(store.rotate("ci"), (thrown) => isKind(thrown, "corrupt"));
    await store.revoke("ci");
    assert.notEqual((await store.list())[0]!.revoked, undefined);
    assert.equal(store.find(id), undefined, "a revocation vouches for nothing");
  }));

Deno.test("what is written by us stays right: use, revocation, rotation", () =>
  withToken(async ({ id, heard, open }) => {
    using store = open();
    store.touch(id, 5);
    assert.equal(store.find(id)?.info.lastUsed, 5);
    const next = await store.rotate("ci");
    assert.deepEqual(store.find(next.info.id)?.info.verbs, ["read"]);
    assert.notEqual(store.find(id)?.info.revoked, undefined);
    store.check();
    assert.deepEqual(heard, []);
  }));

Deno.test("a store of before, without vouchers, gets them once, and is guarded from then on", () =>
  withToken(({ id, heard, open, edit }) => {
    edit("ALTER TABLE tokens DROP COLUMN mac; PRAGMA user_version = 1");
    {
      using store = open();
      assert.deepEqual(store.find(id)?.info.namespaces, ["team-a"]);
    }
    edit(EDITS["namespaces"]!);
    using store = open();
    assert.equal(store.find(id), undefined);
    assert.equal(heard.length, 1);
  }));

Deno.test("no flipped bit of the file gives a token more than it had", () =>
  withToken(async ({ path, id, open, edit }) => {
    edit("PRAGMA wal_checkpoint(TRUNCATE)");
    const whole = await Deno.readFile(path);
    const text = new TextDecoder("latin1").decode(whole);
    const from = text.indexOf(`["read"]`) - 150;
    let refused = 0;
    for (let at = from; at < from + 230; at++) {
      const bytes = whole.slice();
      bytes[at]! ^= 2 ** (at % 8);
      await Deno.writeFile(path, bytes);
      for (const more of ["-wal", "-shm"]) await Deno.remove(path + more).catch(() => {});
      try {
        using store = open();
        const found = store.find(id);
        if (!found) refused++;
        else {
          const { verbs, namespaces, scope, readScopes, expires, revoked, name } = found.info;
          assert.deepEqual({ verbs, namespaces, scope, readScopes, expires, revoked, name }, {
            ...RIGHTS,
            readScopes: ["pr/1", "main"],
            expires: undefined,
            revoked: undefined,
            name: "ci",
          });
        }
      } catch (thrown) {
        if (!(isKind(thrown, "corrupt") || isKind(thrown, "internal"))) throw thrown;
        refused++;
      }
    }
    assert.ok(refused > 150, `${refused} of 230 flips were seen`);
  }));
