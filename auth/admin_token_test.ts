import assert from "node:assert/strict";
import { ManualClock } from "../core/clock.ts";
import { Counters } from "../core/counters.ts";
import { isKind } from "../core/errors.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { ensureAdminToken } from "./admin_token.ts";
import { createAuthenticator } from "./authenticate.ts";
import { openServerKey } from "./server_key.ts";
import { openTokenStore } from "./token_store.ts";

async function withWorld(
  work: (
    world: {
      dir: string;
      store: ReturnType<typeof openTokenStore>;
      options: { serverKey: ReturnType<typeof openServerKey> };
      ask: ReturnType<typeof createAuthenticator>["authenticate"];
    },
  ) => Promise<void>,
) {
  await using folder = await tempDir();
  const serverKey = openServerKey(folder.path);
  const clock = new ManualClock();
  const counters = new Counters();
  using store = openTokenStore(folder.join("auth.sqlite"), { serverKey, clock, counters });
  const { authenticate } = createAuthenticator({ store, clock, counters });
  await work({ dir: folder.path, store, options: { serverKey }, ask: authenticate });
}

Deno.test("ensureAdminToken() writes the only token there is, for its owner's eyes", () =>
  withWorld(async ({ dir, store, options, ask }) => {
    const { path, created } = await ensureAdminToken(dir, store, options);
    assert.equal(path, `${dir}/admin.token`);
    assert.equal(created, true);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    const answer = ask(`Bearer ${Deno.readTextFileSync(path).trim()}`);
    assert.ok("principal" in answer);
    assert.deepEqual(answer.principal.verbs, ["admin"]);
    assert.deepEqual(answer.principal.namespaces, ["*"]);
    assert.equal(answer.principal.scope, "main");
    assert.equal((await store.list()).length, 1);
  }));

Deno.test("ensureAdminToken() makes no second one, not even when the first is revoked", () =>
  withWorld(async ({ dir, store, options }) => {
    const first = await ensureAdminToken(dir, store, options);
    const text = Deno.readTextFileSync(first.path);
    assert.deepEqual(await ensureAdminToken(dir, store, options), {
      path: first.path,
      created: false,
    });
    await store.revoke("admin");
    Deno.removeSync(first.path);
    assert.equal((await ensureAdminToken(dir, store, options)).created, false);
    assert.throws(() => Deno.statSync(first.path), Deno.errors.NotFound);
    assert.ok(text.length > 100);
  }));

Deno.test("ensureAdminToken() after a crash between file and row makes a token that works", () =>
  withWorld(async ({ dir, store, options, ask }) => {
    Deno.writeTextFileSync(`${dir}/admin.token`, "of the first try", { mode: 0o600 });
    const { path } = await ensureAdminToken(dir, store, options);
    assert.ok("principal" in ask(`Bearer ${Deno.readTextFileSync(path).trim()}`));
  }));

Deno.test("ensureAdminToken() takes the token of a file, its line end cut off, whatever the file's mode", () =>
  withWorld(async ({ dir, store, options, ask }) => {
    const bringFile = `${dir}/brought`;
    Deno.writeTextFileSync(bringFile, "k".repeat(40) + "\r\n", { mode: 0o644 });
    assert.deepEqual(await ensureAdminToken(dir, store, { ...options, bringFile }), {
      path: bringFile,
      created: true,
    });
    assert.ok("principal" in ask(`Bearer ${"k".repeat(40)}`));
    assert.throws(() => Deno.statSync(`${dir}/admin.token`), Deno.errors.NotFound);
  }));

Deno.test("ensureAdminToken() refuses a brought token that is short or not there, and lets nobody in", () =>
  withWorld(async ({ dir, store, options }) => {
    const bringFile = `${dir}/brought`;
    const ensure = () => ensureAdminToken(dir, store, { ...options, bringFile });
    await assert.rejects(ensure(), (thrown) => isKind(thrown, "invalid_argument"));
    for (
      const text of ["", "\n", "k".repeat(31) + "\n", "two lines of it\nkkkkkkkkkkkkkkkkkkkkkkkk"]
    ) {
      Deno.writeTextFileSync(bringFile, text);
      await assert.rejects(
        ensure(),
        (thrown) => isKind(thrown, "invalid_argument") && !thrown.message.includes("kkk"),
      );
    }
    assert.equal(store.isEmpty(), true);
  }));
