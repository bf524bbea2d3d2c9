import assert from "node:assert/strict";
import type { Entry } from "../core/entry.ts";
import { digestOf } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import {
  entryInfo,
  entryInput,
  entryOf,
  newTokenOf,
  tokenInfoJson,
  tokenInfoOf,
} from "./convert.ts";
import {
  checkJson,
  EntryInfoSchema,
  EntryInputSchema,
  NewTokenSchema,
  parseJson,
  TokenCreateSchema,
} from "./json.ts";

const digest = digestOf(new Uint8Array([1]));
const entry: Entry = {
  namespace: "team",
  scope: "pr/1",
  protocol: "kv",
  key: "a/é",
  content: "opaque",
  blobs: [{ digest, size: 1 }],
  tags: ["t"],
  writer: "ci",
  created: 1,
  cost: 2,
  inputs: { a: "b" },
  headers: { h: "v" },
  sequence: 3,
  used: 4,
  stamp: { epoch: 1, hlc: 2n ** 63n + 1n, device: "00", valueHash: "ff" },
};

Deno.test("an entry survives the wire, its clock above 2^53 too", () => {
  const text = JSON.stringify(entryInfo(entry));
  assert.deepEqual(entryOf(parseJson(EntryInfoSchema, text, "the entry")), entry);
});

Deno.test("an answer may have fields that this version does not know", () => {
  const later = { ...entryInfo(entry), later: 1, stamp: { ...entryInfo(entry).stamp, more: 2 } };
  assert.deepEqual(entryOf(checkJson(EntryInfoSchema, later, "the entry")), entry);
});

Deno.test("a request with an unknown field is refused with its path", () => {
  const good = entryInput({ ...entry, mutability: "replaceable" });
  checkJson(EntryInputSchema, good, "the entry");
  const bad: [unknown, RegExp][] = [
    [{ ...good, later: 1 }, /later/],
    [{ ...good, blobs: [{ digest, size: 1, more: 1 }] }, /blobs\.0\.more/],
    [{ ...good, cost: 2 ** 53 }, /cost/],
    [{ ...good, tags: ["x".repeat(300)] }, /tags\.0/],
  ];
  for (const [value, path] of bad) {
    assert.throws(
      () => checkJson(EntryInputSchema, value, "the entry"),
      (thrown) => isKind(thrown, "invalid_argument") && path.test(thrown.message),
    );
  }
});

Deno.test("a token survives the wire, absent times as null", () => {
  const info = {
    id: "0".repeat(16),
    name: "ci",
    kind: "issued" as const,
    verbs: ["read" as const],
    namespaces: ["*"],
    scope: "main",
    readScopes: ["main"],
    expires: undefined,
    created: 1,
    revoked: undefined,
    lastUsed: 5,
  };
  const json = tokenInfoJson(info);
  assert.deepEqual([json.expires, json.revoked, json.last_used], [null, null, 5]);
  assert.deepEqual(tokenInfoOf(json), info);
  const text = JSON.stringify({ token: "t", info: json });
  assert.deepEqual(newTokenOf(parseJson(NewTokenSchema, text, "the token")), { token: "t", info });
});

Deno.test("the wish for a token: names, scopes and namespaces are checked", () => {
  const base = { name: "ci", verbs: ["read"] };
  const made = checkJson(TokenCreateSchema, base, "the token");
  assert.deepEqual([made.namespaces, made.scope], [["default"], "main"]);
  const bad = [
    { ...base, name: "" },
    { ...base, name: "a/b" },
    { ...base, verbs: [] },
    { ...base, verbs: ["root"] },
    { ...base, namespaces: ["A"] },
    { ...base, scope: "../x" },
    { ...base, expires: -1 },
    { ...base, __proto__: undefined, id: "x" },
  ];
  for (const value of bad) assert.throws(() => checkJson(TokenCreateSchema, value, "the token"));
});
