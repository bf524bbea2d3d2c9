import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { GO_TOUCH_MS } from "../../core/build_limits.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { LocalOutputs } from "./local_outputs.ts";
import type { LocalOutput } from "./messages.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const BYTES = new TextEncoder().encode("an output");

function open(dir: TempDir, more: { clock?: ManualClock; troubles?: unknown[] } = {}) {
  return new LocalOutputs(dir.join("go"), {
    clock: more.clock ?? new ManualClock(Date.now()),
    makeSpare: () => Deno.makeTempDirSync({ dir: dir.path, prefix: "spare-" }),
    onTrouble: (thrown) => void more.troubles?.push(thrown),
  });
}

function put(local: LocalOutputs, action: string, bytes = BYTES, time = 1000): LocalOutput {
  using file = local.begin();
  file.write(bytes);
  return local.keep(file, { action, output: digestOf(bytes), size: bytes.length, time });
}

Deno.test("LocalOutputs.find() gives another process what was kept, and its time", async () => {
  await using dir = await tempDir();
  using one = open(dir);
  const kept = put(one, A);
  assert.ok(kept.path.startsWith("/"));
  assert.deepEqual(Deno.readFileSync(kept.path), BYTES);
  using two = open(dir);
  assert.deepEqual(two.find(A), { ...kept, time: 1000 });
  assert.equal(two.find(B), undefined);
  assert.deepEqual(await listFiles(dir.join("go/new")), []);
});

Deno.test("LocalOutputs keeps equal outputs once, the empty one too, and never writes them again", async () => {
  await using dir = await tempDir();
  using local = open(dir);
  const first = put(local, A, new Uint8Array(0));
  const before = Deno.statSync(first.path);
  const second = put(local, B, new Uint8Array(0));
  assert.equal(second.path, first.path);
  assert.equal(Deno.statSync(second.path).ino, before.ino);
  assert.equal((await listFiles(dir.join("go/outputs"))).length, 1);
});

Deno.test("LocalOutputs.keep() refuses other bytes and other sizes, and leaves nothing", async () => {
  await using dir = await tempDir();
  using local = open(dir);
  const wrong = [{ output: digestOf(new Uint8Array(3)) }, { size: 8 }];
  for (const more of wrong) {
    using file = local.begin();
    file.write(BYTES);
    const expected = { action: A, output: digestOf(BYTES), size: BYTES.length, time: 0, ...more };
    assert.throws(
      () => local.keep(file, expected),
      (thrown) => thrown instanceof CacheError && thrown.kind === "corrupt",
    );
  }
  assert.equal(local.find(A), undefined);
  assert.deepEqual(await listFiles(dir.join("go")), []);
});

Deno.test("LocalOutputs.find() takes damaged files for misses, and a put heals them", async (t) => {
  const damage: Record<string, (path: string) => void> = {
    "other bytes of the same size": (path) => Deno.writeTextFileSync(path, "an 0utput"),
    "cut off": (path) => Deno.truncateSync(path, 3),
    "longer": (path) => Deno.writeTextFileSync(path, "more", { append: true }),
    "gone": (path) => Deno.removeSync(path),
  };
  for (const [name, harm] of Object.entries(damage)) {
    await t.step(name, async () => {
      await using dir = await tempDir();
      using one = open(dir);
      const { path } = put(one, A);
      harm(path);
      using two = open(dir);
      assert.equal(two.find(A), undefined);
      assert.equal(two.damaged, name === "gone" ? 0 : 1);
      assert.equal(put(two, A).path, path);
      using three = open(dir);
      assert.deepEqual(Deno.readFileSync(three.find(A)!.path), BYTES);
    });
  }
});

Deno.test("LocalOutputs.find() takes a damaged line of an action for a miss", async () => {
  for (const text of ["", "v1", "v2 x", `v1 ${A} 9 1000`, `v1 ../../${A.slice(6)} 9 1000\n`]) {
    await using dir = await tempDir();
    using one = open(dir);
    put(one, A);
    Deno.writeTextFileSync(dir.join("go/actions/aa", A), text);
    using two = open(dir);
    assert.equal(two.find(A), undefined, text);
    assert.equal(two.damaged, 1);
  }
});

Deno.test("LocalOutputs.find() notes a use once an hour", async () => {
  await using dir = await tempDir();
  const clock = new ManualClock(Date.now() + 2 * GO_TOUCH_MS);
  using one = open(dir);
  const { path } = put(one, A);
  const mtime = () => Deno.statSync(path).mtime!.getTime();
  using two = open(dir, { clock });
  two.find(A);
  assert.equal(mtime(), clock.now());
  const action = Deno.statSync(dir.join("go/actions/aa", A)).mtime!.getTime();
  assert.equal(action, clock.now());
  const first = clock.now();
  clock.advance(GO_TOUCH_MS / 2);
  using three = open(dir, { clock });
  three.find(A);
  assert.equal(mtime(), first);
});

Deno.test("LocalOutputs without a usable folder keeps what it is given elsewhere, for its time", async () => {
  await using dir = await tempDir();
  Deno.writeTextFileSync(dir.join("go"), "in the way");
  const troubles: unknown[] = [];
  let path: string;
  {
    using local = open(dir, { troubles });
    ({ path } = put(local, A));
    assert.deepEqual(Deno.readFileSync(path), BYTES);
    assert.equal(local.find(A)?.path, path);
    assert.equal(troubles.length, 1);
  }
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
});

Deno.test("LocalOutputs goes on elsewhere when the disk is full in the middle", async () => {
  await using dir = await tempDir();
  using local = open(dir);
  using file = local.begin();
  const half = BYTES.slice(0, 4);
  file.write(half);
  const { writeSync } = Deno.FsFile.prototype;
  let full = true;
  Deno.FsFile.prototype.writeSync = function (this: Deno.FsFile, bytes: Uint8Array) {
    if (!full) return writeSync.call(this, bytes);
    full = false;
    throw Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  };
  try {
    file.write(BYTES.slice(4));
  } finally {
    Deno.FsFile.prototype.writeSync = writeSync;
  }
  const expected = { action: A, output: digestOf(BYTES), size: BYTES.length, time: 0 };
  const { path } = local.keep(file, expected);
  assert.match(path, /\/spare-/);
  assert.deepEqual(Deno.readFileSync(path), BYTES);
  assert.equal(local.find(A)?.path, path);
  assert.deepEqual(await listFiles(dir.join("go")), []);
});
