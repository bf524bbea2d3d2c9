import assert from "node:assert/strict";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import { ManualClock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { STALE_TEMP_MS } from "../../core/limits.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { objectStoreSuite } from "../../test/suites/object_store.ts";
import {
  assertHolds,
  assertMissing,
  keys,
  pattern,
  read,
  readBody,
  rejectsKind,
  text,
} from "../../test/suites/object_store_asks.ts";
import { openFsStore } from "./fs_store.ts";
import { tempName } from "./temp_file.ts";

const KEY = "data/ab/x";

/** Files on the disk that no list shows. */
async function hiddenFiles(dir: string, store: ObjectStore): Promise<string[]> {
  const listed = new Set(await keys(store));
  return (await listFiles(dir)).filter((path) => !listed.has(path));
}

/** The folder of the case that runs, for sources that are files. */
let sources: TempDir | undefined;

async function openSubject() {
  const dir = await tempDir();
  sources = await tempDir();
  const files = sources;
  const store = await openFsStore(dir.path);
  return {
    store,
    leftovers: () => hiddenFiles(dir.path, store),
    async [Symbol.asyncDispose]() {
      await dir[Symbol.asyncDispose]();
      await files[Symbol.asyncDispose]();
    },
  };
}

async function fileSource(bytes: Bytes): Promise<ByteSource> {
  assert.ok(sources);
  const path = await Deno.makeTempFile({ dir: sources.path });
  await Deno.writeFile(path, bytes);
  return pathSource(path, bytes.length);
}

/** A source that is a file and fails if it is copied. */
function pathSource(path: string, size: number | undefined, open?: ByteSource["open"]): ByteSource {
  const refuse = () => {
    throw new Error("the file should have been linked");
  };
  return { size, replayable: true, path, open: open ?? refuse };
}

objectStoreSuite("fs", openSubject);
objectStoreSuite("fs, linked files", openSubject, {
  forms: { "finished file": fileSource },
  onlyTheseForms: true,
});

Deno.test("openFsStore makes the folder with its parents and opens it again", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.join("a", "b", "c"));
  await store.put(KEY, bytesSource(text("kept")));
  const again = await openFsStore(dir.join("a", "b", "c") + "/");
  assert.deepEqual(await read(again, KEY), text("kept"));
  assert.equal(again.name, `file://${dir.join("a", "b", "c")}`);
});

Deno.test("openFsStore refuses a file, and a folder it may not make", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("file"), "x");
  await rejectsKind(openFsStore(dir.join("file")), "invalid_argument");
  await rejectsKind(openFsStore(dir.join("file", "below")), "internal");
});

Deno.test("openFsStore removes temporary files of a day ago, and only these", async () => {
  await using dir = await tempDir();
  await openFsStore(dir.path);
  const clock = new ManualClock(Date.now());
  const old = (clock.now() - STALE_TEMP_MS - 1000) / 1000;
  const young = (clock.now() - STALE_TEMP_MS + 60_000) / 1000;
  const stale = dir.join(".tmp", tempName("data/ab/stale"));
  const fresh = dir.join(".tmp", tempName("data/ab/fresh"));
  const linked = dir.join(".tmp", tempName("data/ab/linked", "linked"));
  const foreign = dir.join(".tmp", "notes.txt");
  for (const path of [stale, fresh, linked, foreign]) await Deno.writeTextFile(path, "half");
  for (const path of [stale, linked, foreign]) await Deno.utime(path, old, old);
  await Deno.utime(fresh, young, young);
  await openFsStore(dir.path, { clock });
  const left = await listFiles(dir.join(".tmp"));
  assert.deepEqual(left.map((name) => dir.join(".tmp", name)), [fresh, linked, foreign].sort());
  clock.advance(STALE_TEMP_MS + 60_000);
  await openFsStore(dir.path, { clock });
  assert.deepEqual(await listFiles(dir.join(".tmp")), ["notes.txt"], "the linked one a day later");
});

Deno.test("openFsStore alone removes all temporary files, whatever their age", async () => {
  await using dir = await tempDir();
  await openFsStore(dir.path);
  for (const how of ["written", "linked"] as const) {
    await Deno.writeTextFile(dir.join(".tmp", tempName("data/ab/fresh", how)), "half");
  }
  await Deno.writeTextFile(dir.join(".tmp", "notes.txt"), "not ours");
  await openFsStore(dir.path, { alone: true });
  assert.deepEqual(await listFiles(dir.join(".tmp")), ["notes.txt"]);
});

Deno.test("fs get reads small objects at once and large ones in slices of 256 KiB", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.path);
  await store.put("a/00/s", bytesSource(pattern(64 * 1024)));
  await store.put("a/00/l", bytesSource(pattern(600_000)));
  assert.equal((await store.get("a/00/s"))?.bytes?.length, 64 * 1024);
  const body = (await store.get("a/00/l"))!;
  assert.equal(body.bytes, undefined);
  const parts = await Array.fromAsync(body.stream());
  assert.deepEqual(parts.map((part) => part.length), [262_144, 262_144, 75_712]);
});

Deno.test("fs get closes its descriptor however a body ends", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.path);
  await store.put(KEY, bytesSource(pattern(600_000)));
  await assertNoLeaks(async () => {
    await readBody((await store.get(KEY))!);
    await (await store.get(KEY))!.cancel();
    await (await store.get(KEY))!.stream().cancel();
    const abort = new AbortController();
    const body = (await store.get(KEY, { signal: abort.signal }))!;
    abort.abort();
    await assert.rejects(body.stream().getReader().read());
    const unopened = new AbortController();
    await store.get(KEY, { signal: unopened.signal });
    unopened.abort();
    await rejectsKind(
      store.get(KEY, { range: { start: 600_000, end: 600_001 } }),
      "range_not_satisfiable",
    );
  });
});

Deno.test("fs get breaks with corrupt when a file was cut by somebody else", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.path);
  await store.put(KEY, bytesSource(pattern(600_000)));
  const reader = (await store.get(KEY))!.stream().getReader();
  await reader.read();
  await Deno.truncate(dir.join(KEY), 300_000);
  await rejectsKind(
    (async () => {
      while (!(await reader.read()).done);
    })(),
    "corrupt",
  );
});

Deno.test("fs put links a finished file, leaves it to its owner, and leaves no second name", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.join("store"));
  const path = dir.join("finished");
  await Deno.writeFile(path, pattern(5000));
  await store.put(KEY, pathSource(path, 5000));
  assert.equal((await Deno.stat(path)).ino, (await Deno.stat(dir.join("store", KEY))).ino);
  // Both names are links to one file now: rename then does nothing at all, and says so to nobody.
  await store.put(KEY, pathSource(path, undefined));
  assert.deepEqual(await listFiles(dir.join("store")), [KEY]);
  await store.delete([KEY]);
  assert.equal((await Deno.stat(path)).size, 5000);
});

Deno.test("fs put tells the time of a link, not that of the old file", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.join("store"));
  await Deno.writeFile(dir.join("finished"), pattern(10));
  await Deno.utime(dir.join("finished"), 1000, 1000);
  const before = Math.floor(Date.now() / 1000) * 1000;
  const info = await store.put(KEY, pathSource(dir.join("finished"), 10));
  assert.ok(info.modified !== undefined && info.modified >= before, `${info.modified}`);
});

Deno.test("fs put refuses a finished file of another size and leaves nothing", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.join("store"));
  await Deno.writeFile(dir.join("finished"), pattern(10));
  await rejectsKind(store.put(KEY, pathSource(dir.join("finished"), 11)), "invalid_argument");
  assert.deepEqual(await listFiles(dir.join("store")), []);
});

Deno.test("fs put copies what can not be linked: symbolic links, other disks, what is gone", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.join("store"));
  await Deno.writeFile(dir.join("finished"), pattern(10));
  await Deno.symlink(dir.join("finished"), dir.join("link"));
  const paths = [dir.join("link"), dir.join("gone"), "/proc/self/status"];
  for (const path of paths) {
    let copied = 0;
    const open = () => {
      copied++;
      return bytesSource(pattern(10)).open();
    };
    await store.put(KEY, pathSource(path, 10, open));
    assert.equal(copied, 1, path);
    await assertHolds(store, KEY, pattern(10));
    assert.ok((await Deno.lstat(dir.join("store", KEY))).isFile);
    assert.deepEqual(await listFiles(dir.join("store")), [KEY]);
  }
});

Deno.test("fs put names its temporary file after the object while it writes", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.path);
  let during: string[] = [];
  const stream = new ReadableStream<Bytes>({
    async pull(controller) {
      during = await listFiles(dir.path);
      assert.deepEqual(await keys(store), [], "not listed while it is written");
      controller.enqueue(text("x"));
      controller.close();
    },
  }, { highWaterMark: 0 });
  await store.put(KEY, streamSource(stream));
  assert.equal(during.length, 1);
  assert.match(during[0]!, /^\.tmp\/data-ab-x\.[0-9a-f]{16}$/);
  assert.deepEqual(await listFiles(dir.path), [KEY]);
});

Deno.test("fs put works again after folders were removed behind its back", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.path);
  await store.put(KEY, bytesSource(text("1")));
  await Deno.remove(dir.join("data"), { recursive: true });
  await Deno.remove(dir.join(".tmp"), { recursive: true });
  await assertMissing(store, KEY);
  await store.put(KEY, bytesSource(text("2")));
  assert.deepEqual(await read(store, KEY), text("2"));
});

Deno.test("fs leaves what is not its own alone, and out of its lists", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.path);
  await store.put(KEY, bytesSource(text("own")));
  const foreign = [
    "README",
    "data/note",
    "data/ab/.hidden",
    "data/ab/UPPER",
    "data/zz/x",
    "lost+found/ab/x",
  ];
  for (const path of foreign) {
    await Deno.mkdir(dir.join(path.replace(/\/?[^/]*$/, "")), { recursive: true });
    await Deno.writeTextFile(dir.join(path), "foreign");
  }
  await Deno.mkdir(dir.join("data/ab/folder"));
  assert.deepEqual(await keys(store), [KEY]);
  await assertMissing(store, "data/ab/folder");
  await store.delete([KEY, "data/ab/folder"]);
  assert.ok((await Deno.stat(dir.join("data/ab/folder"))).isDirectory);
  assert.deepEqual(await listFiles(dir.path), foreign.sort());
  await rejectsKind(store.put("data/ab/folder", bytesSource(text("x"))), "internal");
  assert.deepEqual(await listFiles(dir.path), foreign.sort(), "nothing is left of the failed put");
});

Deno.test("fs follows no symbolic link out of its folder", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.join("store"));
  await Deno.mkdir(dir.join("outside", "ab"), { recursive: true });
  await Deno.writeTextFile(dir.join("outside", "ab", "x"), "secret");
  await Deno.symlink(dir.join("outside"), dir.join("store", "area"));
  await Deno.mkdir(dir.join("store", "data"));
  await Deno.symlink(dir.join("outside", "ab"), dir.join("store", "data", "cd"));
  for (const key of ["area/ab/x", "data/cd/x"]) {
    await rejectsKind(store.get(key), "permission_denied");
    await rejectsKind(store.stat([key]), "permission_denied");
    await rejectsKind(store.put(key, bytesSource(text("mine"))), "permission_denied");
    await rejectsKind(store.delete([key]), "permission_denied");
  }
  assert.deepEqual(await keys(store), []);
  assert.equal(await Deno.readTextFile(dir.join("outside", "ab", "x")), "secret");
  assert.deepEqual(await listFiles(dir.join("store", ".tmp")), []);
});

Deno.test("fs takes a symbolic link in an object's place for no object, and replaces it", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.join("store"));
  await Deno.writeTextFile(dir.join("secret"), "secret");
  await Deno.mkdir(dir.join("store", "data", "ab"), { recursive: true });
  await Deno.symlink(dir.join("secret"), dir.join("store", KEY));
  await assertMissing(store, KEY);
  await store.put(KEY, bytesSource(text("mine")));
  assert.equal(await Deno.readTextFile(dir.join("secret")), "secret");
  assert.deepEqual(await read(store, KEY), text("mine"));
});

Deno.test("openFsStore refuses a folder of temporary files that leads elsewhere", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(dir.join("store"));
  await Deno.mkdir(dir.join("outside"));
  await Deno.symlink(dir.join("outside"), dir.join("store", ".tmp"));
  await rejectsKind(openFsStore(dir.join("store")), "permission_denied");
});

Deno.test("fs does not wait for a pipe in an object's place", async () => {
  await using dir = await tempDir();
  const store = await openFsStore(dir.path);
  await store.put(KEY, bytesSource(text("x")));
  const made = await new Deno.Command("mkfifo", { args: [dir.join("data/ab/pipe")] }).output();
  assert.ok(made.success);
  await assertMissing(store, "data/ab/pipe");
});

Deno.test("two openings of one folder see each other's objects at once", async () => {
  await using dir = await tempDir();
  const [a, b] = [await openFsStore(dir.path), await openFsStore(dir.path)];
  await a.put(KEY, bytesSource(text("1")));
  assert.deepEqual(await read(b, KEY), text("1"));
  await b.put(KEY, bytesSource(text("2")));
  assert.deepEqual(await read(a, KEY), text("2"));
  await b.delete([KEY]);
  await assertMissing(a, KEY);
});
