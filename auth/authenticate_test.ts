import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { Counters } from "../core/counters.ts";
import { TOKEN_CACHE_ENTRIES, TOKEN_TOUCH_MS } from "../core/limits.ts";
import type { TokenInfo } from "../core/token_admin.ts";
import { anyText } from "../test/helpers/any_text.ts";
import { createAuthenticator } from "./authenticate.ts";
import type { Authentication } from "./authenticate.ts";
import { issueToken, parseToken, secretHash } from "./token.ts";
import type { StoredToken } from "./token_store.ts";

function world(serverKey?: Bytes) {
  const clock = new ManualClock();
  const counters = new Counters();
  const rows = new Map<string, StoredToken>();
  const calls = { find: 0, touch: 0 };
  const store = {
    find(id: string) {
      calls.find++;
      return rows.get(id);
    },
    touch() {
      calls.touch++;
    },
  };
  function add(text: string, more: Partial<TokenInfo> = {}): string {
    const token = parseToken(text)!;
    const info: TokenInfo = {
      id: token.id,
      name: "ci",
      kind: token.type,
      verbs: ["read"],
      namespaces: ["default"],
      scope: "main",
      readScopes: ["main"],
      created: 0,
      expires: undefined,
      revoked: undefined,
      lastUsed: undefined,
      ...more,
    };
    rows.set(token.id, { info, hash: secretHash(token.secret) });
    return text;
  }
  const issue = (more?: Partial<TokenInfo>) =>
    add(issueToken(new Uint8Array(32).fill(3)).text.reveal(), more);
  const authenticator = createAuthenticator({ store, clock, counters, serverKey });
  return { clock, counters, rows, calls, add, issue, ask: authenticator.authenticate };
}

const failureOf = (answer: Authentication) => "failure" in answer ? answer.failure : "none";
const nameOf = (answer: Authentication) =>
  "principal" in answer ? answer.principal.name : undefined;

Deno.test("authenticate() knows each failure by its name", () => {
  const { ask, issue, clock } = world();
  const good = issue();
  const wrongSecret = good.slice(0, 65) + issueToken(new Uint8Array(32)).text.reveal().slice(65);
  const table: [string | null | undefined, string][] = [
    [null, "missing"],
    [undefined, "missing"],
    ["", "missing"],
    ["Bearer", "malformed"],
    ["Bearer ", "malformed"],
    [good, "malformed"],
    [`Token ${good}`, "malformed"],
    [`Bearer ${good} x`, "malformed"],
    [`Bearer ${good.slice(0, -1)}`, "malformed"],
    ["Bearer short", "malformed"],
    [`Bearer ${"x".repeat(9000)}`, "malformed"],
    ["Basic !!!!", "malformed"],
    [`Basic ${btoa("no colon in here")}`, "malformed"],
    [`Basic ${btoa("user:")}`, "malformed"],
    ["Basic A", "malformed"],
    [`Bearer ${"x".repeat(40)}`, "unknown"],
    [`Bearer ${wrongSecret}`, "unknown"],
    [`Bearer ${issueToken(new Uint8Array(32)).text.reveal()}`, "unknown"],
    [`Bearer ${issue({ revoked: 5, name: "gone" })}`, "revoked"],
    [`Bearer ${issue({ expires: clock.now(), name: "old" })}`, "expired"],
    [`Bearer ${issue({ expires: clock.now() + 1 })}`, "none"],
    [`Bearer ${good}`, "none"],
    [`bEARER   ${good}`, "none"],
  ];
  for (const [header, failure] of table) {
    assert.equal(failureOf(ask(header)), failure, String(header));
  }
});

Deno.test("authenticate() refuses a token that names another server, though its secret is right", () => {
  const key = new Uint8Array(32).fill(4);
  const { ask, issue, add, calls } = world(key);
  // The world issues its tokens with another key than this.
  assert.deepEqual(ask(`Bearer ${issue()}`), { failure: "unknown" });
  assert.equal(calls.find, 0);
  assert.equal(nameOf(ask(`Bearer ${add(issueToken(key).text.reveal())}`)), "ci");
  assert.equal(nameOf(ask(`Bearer ${add("k".repeat(40))}`)), "ci", "a chosen one names none");
});

Deno.test("authenticate() tells the log the name of an ended token, but only to who has its secret", () => {
  const { ask, issue } = world();
  const token = issue({ revoked: 5, name: "gone" });
  assert.deepEqual(ask(`Bearer ${token}`), {
    failure: "revoked",
    id: token.slice(4, 20),
    name: "gone",
  });
  const guess = token.slice(0, 65) + "A".repeat(43);
  assert.deepEqual(ask(`Bearer ${guess}`), { failure: "unknown" });
});

Deno.test("authenticate() takes the password of Basic in both alphabets, padded or not, whatever the user", () => {
  const { ask, add } = world();
  // `~~~` and `???` make `+`, `/`, `-` and `_` in base64.
  const token = add("~~~???>>>:" + "k".repeat(32));
  fc.assert(fc.property(fc.string({ unit: "grapheme-ascii" }), (user) => {
    const bytes = new TextEncoder().encode(`${user.replaceAll(":", "")}:${token}`);
    for (const alphabet of ["base64", "base64url"] as const) {
      for (const omitPadding of [true, false]) {
        const value = bytes.toBase64({ alphabet, omitPadding });
        assert.equal(nameOf(ask(`Basic ${value}`)), "ci");
      }
    }
  }));
});

Deno.test("authenticate() prefers Bearer to Basic when both were sent", () => {
  const { ask, issue } = world();
  const bearer = issue({ name: "bearer" });
  const basic = issue({ name: "basic" });
  const header = `Basic ${btoa(`u:${basic}`)}, Bearer ${bearer}`;
  assert.equal(nameOf(ask(header)), "bearer");
});

Deno.test("authenticate() never throws, whatever the header", () => {
  const { ask } = world();
  fc.assert(fc.property(anyText(), (text) => {
    for (
      const header of [
        text,
        `Bearer ${text}`,
        `Basic ${text}`,
        `Basic ${btoa(encodeURI(text.toWellFormed()))}`,
      ]
    ) {
      assert.notEqual(failureOf(ask(header)), "none");
    }
  }));
});

Deno.test("authenticate() looks a good token up once, and a bad one each time", () => {
  const { ask, issue, calls } = world();
  const header = `Bearer ${issue()}`;
  for (let i = 0; i < 100; i++) ask(header);
  assert.equal(calls.find, 1);
  for (let i = 0; i < 100; i++) ask(`Bearer ${"x".repeat(40)}`);
  assert.equal(calls.find, 101);
});

Deno.test("authenticate() ends a remembered token at its expiry, not a look-up later", () => {
  const { ask, issue, clock, calls } = world();
  const header = `Bearer ${issue({ expires: clock.now() + 1000 })}`;
  assert.equal(failureOf(ask(header)), "none");
  clock.advance(999);
  assert.equal(failureOf(ask(header)), "none");
  assert.equal(calls.find, 1);
  clock.advance(1);
  assert.equal(failureOf(ask(header)), "expired");
});

Deno.test("authenticate() forgets all tokens when the revocation generation grew", () => {
  const { ask, issue, rows, counters, calls } = world();
  const token = issue();
  ask(`Bearer ${token}`);
  const row = rows.get(token.slice(4, 20))!;
  rows.set(row.info.id, { ...row, info: { ...row.info, revoked: 1 } });
  assert.equal(failureOf(ask(`Bearer ${token}`)), "none");
  counters.add("revocation_generation");
  assert.equal(failureOf(ask(`Bearer ${token}`)), "revoked");
  assert.equal(calls.find, 2);
});

Deno.test("authenticate() remembers a bounded number of headers for one token", () => {
  const { ask, issue, calls } = world();
  const token = issue();
  const first = `Basic ${btoa(`0:${token}`)}`;
  ask(first);
  for (let i = 1; i <= TOKEN_CACHE_ENTRIES; i++) ask(`Basic ${btoa(`${i}:${token}`)}`);
  const before = calls.find;
  ask(first);
  assert.equal(calls.find, before + 1);
});

Deno.test("authenticate() notes a use at the first request and then once an interval", () => {
  const { ask, issue, clock, calls } = world();
  const header = `Bearer ${issue()}`;
  for (let i = 0; i < 10; i++) ask(header);
  assert.equal(calls.touch, 1);
  clock.advance(TOKEN_TOUCH_MS);
  for (let i = 0; i < 10; i++) ask(header);
  assert.equal(calls.touch, 2);
});

Deno.test("authenticate() compares secrets through constantTimeEqual only", () => {
  const source = Deno.readTextFileSync(new URL("./authenticate.ts", import.meta.url));
  assert.match(
    source,
    /constantTimeEqual\(stored\?\.hash \?\? NO_HASH, secretHash\(token\.secret\)\)/,
  );
  assert.doesNotMatch(source, /reveal\(|hash ===|hash ==/);
  // The key of a server is public: it may be compared as fast as can be, and nothing else may.
  const others = [...source.matchAll(/equalBytes\(([^()]*)\)/g)].map(([, what]) => what);
  assert.deepEqual(others, ["token.serverKey, serverKey"]);
});
