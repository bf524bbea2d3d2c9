/**
 * A stranger with `docs/storage_format.md`, Python, zstd and sha256sum reads a store that the engine
 * wrote: every blob, small, chunked and of two levels, and every entry.
 */
import assert from "node:assert/strict";
import { encodeHeader, RECORD_HEADER_BYTES } from "../../codec/record.ts";
import { compress } from "../../codec/zstd.ts";
import { bytesSource } from "../../core/bytes.ts";
import type { RecordKind } from "../../core/record.ts";
import { filesOf, SEGMENT_HEADER_BYTES } from "../damage/records.ts";
import { buildWorld, draftOf, openStore } from "../damage/world.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { seededRandom } from "../helpers/random.ts";
import { run } from "../helpers/real_server.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";

const SCRIPT = fromFileUrl("../../docs/read_store.py");
const MAX_LINES = 60;

/** Writes the records of a segment again with their bodies as zstd frames, as a reader must take. */
async function compressSegment(dir: string, path: string): Promise<number> {
  const file = (await filesOf(dir)).find((one) => one.path === path)!;
  const bytes = await Deno.readFile(`${dir}/${path}`);
  const parts = [bytes.slice(0, SEGMENT_HEADER_BYTES)];
  for (const { kind, id, from, to } of file.records) {
    const body = bytes.slice(from + RECORD_HEADER_BYTES, to);
    const stored = compress(body);
    const header = { kind: kind as RecordKind, id: Uint8Array.fromHex(id), codec: 1 } as const;
    parts.push(encodeHeader({ ...header, stored, rawLength: body.length }), stored);
  }
  await Deno.writeFile(`${dir}/${path}`, new Uint8Array(await new Blob(parts).arrayBuffer()));
  return file.records.length;
}

skippable("a store is read by a script of 60 lines, sha256sum and zstd", {
  need: async () => await needProgram("python3") ?? await needProgram("zstd"),
}, async () => {
  const lines = (await Deno.readTextFile(SCRIPT)).trimEnd().split("\n");
  assert.ok(lines.length <= MAX_LINES, `the script has ${lines.length} lines`);
  await using temp = await tempDir();
  const [store, out] = [temp.join("store"), temp.join("out")];
  const random = seededRandom("VITTE_STRANGER_SEED");
  const world = await buildWorld(store, random);
  // 20 MiB are more than 255 chunks: a recipe of two levels.
  const large = random.bytes(20 * 1024 * 1024);
  const deleted = random.bytes(50_000);
  await using engine = await openStore(store);
  const blobs = engine.cache.blobs("default");
  const { digest } = await blobs.put(undefined, bytesSource(large));
  const gone = await blobs.put(undefined, bytesSource(deleted));
  await blobs.delete([gone.digest]);
  await engine.cache.put(
    draftOf({ namespace: "team-a", key: "clé" }, { inputs: { a: "b" }, cost: 70_000 }),
    bytesSource(random.bytes(10)),
  );
  const wanted = new Map<string, string>();
  for (const entry of world.entries) {
    const { namespace, key } = entry;
    const found = await engine.cache.find({ namespace, scopes: ["main"], protocol: "kv", key });
    if (found) wanted.set(`${namespace} ${key}`, found.blobs[0]!.digest);
  }
  const listed = new Set<string>();
  for (const namespace of ["default", "team-a"]) {
    for await (const blob of engine.cache.blobs(namespace).list()) listed.add(blob.digest);
  }
  await engine[Symbol.asyncDispose]();
  const active = (await filesOf(store)).find(({ type }) => type === "active data")!;
  const compressed = await compressSegment(store, active.path);
  await Deno.mkdir(out);

  const read = await run(["python3", SCRIPT, store, out]);
  assert.equal(read.code, 0, read.stderr);
  const names = [...Deno.readDirSync(out)].map(({ name }) => name);
  const sums = await run(["sha256sum", ...names], { cwd: out });
  assert.equal(sums.code, 0, sums.stderr);
  for (const line of sums.stdout.trim().split("\n")) {
    const [sum, name] = line.split(/\s+/);
    assert.equal(sum, name, "a blob with other bytes than its name says");
  }
  assert.deepEqual(new Set(names.map((name) => `sha256-${name}`)), listed);
  assert.ok(listed.has(digest) && !listed.has(gone.digest));
  const entries = new Map(
    read.stdout.trim().split("\n").map((line) => JSON.parse(line))
      .map(({ namespace, key, digests }) => [`${namespace} ${key}`, `sha256-${digests[0]}`]),
  );
  assert.ok(entries.delete("team-a clé"));
  assert.deepEqual(entries, wanted);
  console.info(
    `stranger: ${names.length} blobs and ${
      wanted.size + 1
    } entries read by ${lines.length} lines, ` +
      `${compressed} records through zstd`,
  );
});
