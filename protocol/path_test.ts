import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "../test/helpers/any_text.ts";
import { digestOf } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import { MAX_KEY_BYTES, MAX_PATH_BYTES } from "../core/limits.ts";
import { HOSTILE_TARGETS } from "../test/suites/http_api_paths.ts";
import { authorityOf, checkKey, parsePath, queryValue } from "./path.ts";
import { blobPath, entryPath, nativePath, RESERVED_SEGMENTS } from "./url_space.ts";

const isBad = (thrown: unknown) => isKind(thrown, "invalid_argument");

Deno.test("parsePath reads a URL as the listener hands it over", () => {
  assert.deepEqual(parsePath("http://localhost:80/ns/team-a/v1/entries/a/%c3%a9?x=1?2"), {
    authority: "localhost:80",
    namespace: "team-a",
    tool: "v1",
    segments: ["entries", "a", "é"],
    key: "entries/a/é",
    query: "x=1?2",
  });
  assert.equal(parsePath("http://h").key, "");
  assert.equal(parsePath("http://h?a=b").query, "a=b");
  assert.equal(parsePath("/a/b").authority, "");
  assert.equal(parsePath("/some/prefix/ac/x").tool, undefined);
  assert.equal(parsePath("/ns/x").segments.length, 0);
});

Deno.test("parsePath never lets a Host change the meaning of a path", () => {
  // `new URL` would throw on most of these, or normalise them.
  for (const host of ["", "bad host", "a:99999", "[", "a@b", "%zz"]) {
    const parsed = parsePath(`http://${host}/v1/entries/k`);
    assert.deepEqual([parsed.authority, parsed.key], [host, "entries/k"]);
    assert.equal(authorityOf(`http://${host}/x`), host);
  }
});

Deno.test("parsePath refuses what could be read in two ways", () => {
  for (const target of HOSTILE_TARGETS) {
    if (target.length > MAX_KEY_BYTES && target.length <= MAX_PATH_BYTES) continue;
    assert.throws(() => parsePath(`http://h${target}`), isBad, target.slice(0, 80));
  }
  for (const raw of ["/é", "/a b", "/a\tb", "/a#b", "/\u0000", "/a\u007f", "a", "*", "http:/a"]) {
    assert.throws(() => parsePath(raw), isBad, raw);
  }
  assert.throws(() => parsePath("/" + "a".repeat(MAX_PATH_BYTES)), isBad);
});

Deno.test("parsePath undoes entryPath for every key that checkKey lets pass", () => {
  fc.assert(fc.property(anyText({ maxLength: 60 }), (key) => {
    let good = true;
    try {
      checkKey(key);
    } catch (thrown) {
      assert.ok(isBad(thrown));
      good = false;
    }
    if (!good) return;
    const parsed = parsePath(`http://h${entryPath("team", key)}`);
    assert.equal(parsed.namespace, "team");
    assert.equal(parsed.key, `entries/${key}`);
  }));
});

Deno.test("parsePath's result, written out again, is the same place", () => {
  const part = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
  fc.assert(fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
    let first;
    try {
      first = parsePath("/x/" + parts.map(encodeURIComponent).join("/"));
    } catch (thrown) {
      assert.ok(isBad(thrown));
      return;
    }
    const again = parsePath("/" + first.segments.map(encodeURIComponent).join("/"));
    assert.deepEqual(again.segments, first.segments);
    assert.ok(!first.segments.some((segment) => segment === "" || /[/\\\0]|^\.\.?$/.test(segment)));
  }));
});

Deno.test("parsePath reads a plain path as it reads one with a letter of each segment encoded", () => {
  const segment = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,12}$/),
    fc.constantFrom("ns", "v1", "entries", "blobs", "default", "team-a"),
  );
  const encoded = (text: string) =>
    RESERVED_SEGMENTS.has(text) || text === "ns" || /^[_.-]/.test(text)
      ? text
      : `%${text.charCodeAt(0).toString(16).padStart(2, "0")}${text.slice(1)}`;
  fc.assert(fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (segments) => {
    const read = (path: string) => {
      try {
        return parsePath(`http://127.0.0.1:1${path}`);
      } catch (thrown) {
        assert.ok(isKind(thrown, "invalid_argument"));
        return "refused";
      }
    };
    assert.deepEqual(
      read(`/${segments.join("/")}`),
      read(`/${segments.map(encoded).join("/")}?`),
    );
  }));
});

Deno.test("parsePath tells origins apart that begin with one another, one after the other", () => {
  for (const host of ["a", "a:1", "a:12", "a:1", "ab", "a", "[::1]:80"]) {
    const { authority, segments } = parsePath(`http://${host}/x/y`);
    assert.deepEqual([authority, segments], [host, ["x", "y"]]);
    assert.equal(authorityOf(`http://${host}?x`), host);
    assert.equal(authorityOf(`http://${host}`), host);
  }
});

Deno.test("parsePath throws nothing but invalid_argument, whatever comes", () => {
  fc.assert(fc.property(anyText({ maxLength: 100 }), (text) => {
    for (const url of [text, `/${text}`, `http://h/${text}`, `/v1/entries/%${text}`]) {
      try {
        parsePath(url);
      } catch (thrown) {
        assert.ok(isBad(thrown), String(thrown));
      }
    }
  }));
});

Deno.test("parsePath collapses ccache's double slash there and nowhere else", () => {
  const rest = "c".repeat(31);
  assert.deepEqual(parsePath(`//ab/${rest}`).segments, ["ab", rest]);
  assert.deepEqual(parsePath(`/base//ab/${rest}`).segments, ["base", "ab", rest]);
  assert.deepEqual(parsePath(`/ns/x//ab/${rest}`).segments, ["ab", rest]);
  for (
    const other of [`///ab/${rest}`, `//ab/${rest}/x`, `//abc/${rest}`, `//ab/${rest.slice(1)}`]
  ) {
    assert.throws(() => parsePath(other), isBad, other);
  }
});

Deno.test("checkKey wants what a path can name", () => {
  for (
    const good of ["a", "a/b", "é", "a b", "%2e", "...", "a%", "😀", "k".repeat(MAX_KEY_BYTES)]
  ) {
    assert.equal(checkKey(good), good);
  }
  const bad = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    ".",
    "a/../b",
    "a\\b",
    "a\0",
    "e\u0301",
    "\ud800",
    "\x85",
  ];
  for (const key of [...bad, "é".repeat(513)]) assert.throws(() => checkKey(key), isBad, key);
});

Deno.test("queryValue decodes one value, and refuses two", () => {
  assert.equal(queryValue("a=1&b=x%2Fy+z", "b"), "x/y z");
  assert.equal(queryValue("a", "a"), "");
  assert.equal(queryValue("", "a"), undefined);
  assert.throws(() => queryValue("a=1&a=2", "a"), isBad);
  assert.throws(() => queryValue("a=%zz", "a"), isBad);
  assert.throws(() => queryValue("a=%ff", "a"), isBad);
});

Deno.test("nativePath leaves the default namespace out", () => {
  assert.equal(nativePath("default", "stats"), "/v1/stats");
  assert.equal(nativePath("team", "tokens", "a b"), "/ns/team/v1/tokens/a%20b");
  const digest = digestOf(new Uint8Array(0));
  assert.equal(blobPath("default", digest), `/v1/blobs/${digest}`);
  for (const first of ["v1", "ns", "bazel", "ccache"]) assert.ok(RESERVED_SEGMENTS.has(first));
});
