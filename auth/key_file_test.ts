import assert from "node:assert/strict";
import { join } from "node:path";
import { isKind } from "../core/errors.ts";
import { openDomainKey } from "./domain_key.ts";
import { openServerKey } from "./server_key.ts";
import { tempDir } from "../test/helpers/temp.ts";

const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

Deno.test("openServerKey() makes a key with mode 0600 once and reads it again", async () => {
  await using folder = await tempDir();
  const dir = folder.path;

  const first = openServerKey(dir);
  assert.equal(modeOf(join(dir, "server.key")), 0o600);
  assert.deepEqual(openServerKey(dir).publicKey, first.publicKey);
  assert.equal(first.publicKey.length, 32);
  assert.deepEqual([...Deno.readDirSync(dir)].map((file) => file.name), ["server.key"]);
});

Deno.test("openDomainKey() gives the same 32 bytes and device each time, others in another folder", async () => {
  await using folder = await tempDir();
  const dir = folder.path;

  const first = openDomainKey(dir);
  assert.deepEqual(openDomainKey(dir), first);
  assert.equal(first.indexKey.length, 32);
  assert.match(first.device, /^[0-9a-f]{16}$/);
  assert.equal(modeOf(join(dir, "domain.key")), 0o600);
  Deno.mkdirSync(join(dir, "other"));
  const other = openDomainKey(join(dir, "other"));
  assert.notDeepEqual(other.indexKey, first.indexKey);
  assert.notEqual(other.device, first.device);
});

Deno.test("openServerKey() refuses a file that others may read, with a hint, and leaves it alone", async () => {
  await using folder = await tempDir();
  const dir = folder.path;

  const path = join(dir, "server.key");
  openServerKey(dir);
  const before = Deno.readTextFileSync(path);
  for (const mode of [0o640, 0o604, 0o660, 0o601]) {
    Deno.chmodSync(path, mode);
    assert.throws(
      () => openServerKey(dir),
      (thrown) => isKind(thrown, "permission_denied") && thrown.hint!.includes("chmod 600"),
    );
  }
  Deno.chmodSync(path, 0o400);
  openServerKey(dir);
  assert.equal(Deno.readTextFileSync(path), before);
});

Deno.test("openServerKey() refuses a damaged file and never replaces it", async () => {
  await using folder = await tempDir();
  const dir = folder.path;

  const path = join(dir, "server.key");
  openServerKey(dir);
  const good = Deno.readTextFileSync(path);
  const bad = [
    "",
    "x",
    good.slice(0, -2),
    good + "\n",
    good.replace("server", "domain"),
    good.replace(" v1", " v2"),
    "\0".repeat(5000),
  ];
  for (const text of bad) {
    Deno.writeTextFileSync(path, text);
    assert.throws(() => openServerKey(dir), (thrown) => isKind(thrown, "corrupt"), text);
    assert.equal(Deno.readTextFileSync(path), text);
    try {
      openServerKey(dir);
    } catch (thrown) {
      assert.ok(!String(thrown).includes(good.split("\n")[1]!), "the message shows the key");
    }
  }
});

Deno.test("openServerKey() is not misled by a temporary file of a crash, whatever its mode", async () => {
  await using folder = await tempDir();
  const dir = folder.path;

  const temporary = join(dir, "server.key.tmp");
  Deno.writeTextFileSync(temporary, "half", { mode: 0o666 });
  openServerKey(dir);
  assert.equal(modeOf(join(dir, "server.key")), 0o600);
  assert.throws(() => Deno.statSync(temporary), Deno.errors.NotFound);
});
