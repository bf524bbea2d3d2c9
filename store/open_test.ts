import assert from "node:assert/strict";
import { bytesSource } from "../core/bytes.ts";
import type { CacheError } from "../core/errors.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { read, rejectsKind, text } from "../test/suites/object_store_asks.ts";
import { openObjectStore, stripSecrets } from "./open.ts";

Deno.test("openObjectStore opens memory", async () => {
  await using store = await openObjectStore("memory:");
  assert.equal(store.name, "memory:");
});

Deno.test("openObjectStore opens one folder by path and by URL, with escapes", async () => {
  await using dir = await tempDir();
  await using byPath = await openObjectStore(dir.join("a folder"));
  await byPath.put("a/00/x", bytesSource(text("x")));
  for (const url of [`file://${dir.path}/a%20folder`, `FILE://${dir.path}/a%20folder/`]) {
    await using byUrl = await openObjectStore(url);
    assert.deepEqual(await read(byUrl, "a/00/x"), text("x"));
  }
});

Deno.test("openObjectStore names what it knows when it does not know a scheme", async () => {
  await assert.rejects(
    openObjectStore("s3://key:secret@bucket/path?token=secret"),
    (error: CacheError) => {
      assert.equal(error.kind, "unsupported");
      assert.equal(
        error.message,
        `Cannot open store "s3://bucket/path": scheme "s3" is not known, want memory:, file:///path or a path`,
      );
      return true;
    },
  );
});

for (const url of ["constructor:", "toString:x", "redis://:pw@h/0"]) {
  Deno.test(`openObjectStore does not know "${url}"`, async () => {
    await rejectsKind(openObjectStore(url), "unsupported");
    await assert.rejects(
      openObjectStore(url),
      (error: CacheError) => !error.message.includes("pw"),
    );
  });
}

const BAD = [
  "",
  "a\0b",
  "memory:x",
  "memory://",
  "file:relative",
  "file:/one",
  "file://host/share",
  "file:////double",
  "file:///a?token=secret",
  "file:///a#part",
  "file:///a%2fb",
  "file:///a%00b",
  "file:///a%zz",
];
for (const url of BAD) {
  Deno.test(`openObjectStore refuses ${JSON.stringify(url)}`, async () => {
    await rejectsKind(openObjectStore(url), "invalid_argument");
    await assert.rejects(
      openObjectStore(url),
      (error: CacheError) => !error.message.includes("secret"),
    );
  });
}

const STRIPPED: [string, string][] = [
  ["https://user:pass@host/path?sig=x#frag", "https://host/path"],
  ["https://token@host", "https://host"],
  ["redis://:p@ss/w@host:6379/0", "redis://host:6379/0"],
  ["s3:user:pass@bucket", "s3:bucket"],
  ["sftp://host/plain", "sftp://host/plain"],
  ["/a/plain@path", "/a/plain@path"],
];
for (const [url, shown] of STRIPPED) {
  Deno.test(`stripSecrets shows ${shown}`, () => assert.equal(stripSecrets(url), shown));
}
