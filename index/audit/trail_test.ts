import assert from "node:assert/strict";
import { noSeal } from "../../codec/seal.ts";
import type { EntryChange } from "../../core/audit.ts";
import { digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import type { LogPosition, LogRecord } from "../../core/record.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { seededRandom } from "../../test/helpers/random.ts";
import { blob, draft, indexWorld, keyed } from "../../test/suites/metadata_index_world.ts";
import type { IndexWorld } from "../../test/suites/metadata_index_world.ts";
import { openWriter } from "../../test/suites/open_index.ts";
import type { IndexWriter } from "../contract.ts";
import { MemoryLog } from "../memory_log.ts";
import { checkAudit, readAudit } from "./read.ts";
import type { ReadAuditOptions } from "./read.ts";
import { openTrail } from "./trail.ts";
import type { ReadyRow } from "./trail.ts";

const LIMITS = { fileBytes: 1024 * 1024, totalBytes: 16 * 1024 * 1024 };

/** A store's index and audit that can be closed well, or left as a crash leaves them. */
class Audited {
  readonly world: IndexWorld = indexWorld();
  readonly log: MemoryLog;
  readonly dir: TempDir;
  index!: IndexWriter;

  constructor(dir: TempDir, log = new MemoryLog()) {
    this.dir = dir;
    this.log = log;
  }
  get folder(): string {
    return this.dir.join("audit");
  }
  async open(limits = LIMITS): Promise<void> {
    const path = this.dir.join("index.sqlite");
    this.index = await openWriter(this.world, {
      path,
      log: this.log,
      audit: { dir: this.folder, limits },
    });
  }
  async close(): Promise<void> {
    await this.index[Symbol.asyncDispose]();
  }
  async rows(options: ReadAuditOptions = {}): Promise<EntryChange[]> {
    const context = { keys: this.world.keys, seal: noSeal };
    const rows: EntryChange[] = [];
    for await (const { row } of readAudit(this.folder, context, options)) rows.push(row);
    return rows;
  }
  async told(): Promise<string[]> {
    return (await this.rows()).map(({ kind, key, writer }) => `${kind} ${key} ${writer}`);
  }
  /** Removes the last bytes of the newest file, as a power cut does with what was not synced. */
  async lose(bytes: number): Promise<void> {
    const newest = (await listFiles(this.folder)).at(-1)!;
    const { size } = await Deno.stat(`${this.folder}/${newest}`);
    await Deno.truncate(`${this.folder}/${newest}`, Math.max(0, size - bytes));
  }
}

function put(index: IndexWriter, key: string, text: string, writer = "anne") {
  return index.put(draft(key, { blobs: [blob(text)], writer }));
}

Deno.test("the audit says who wrote, replaced and deleted what, and what stood there", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open();
  store.world.clock.advance(1000);
  await put(store.index, "k", "one");
  await put(store.index, "k", "two", "bert");
  await store.index.commit({ remove: [keyed("k"), keyed("never there")], by: "carl" });
  const at = store.world.clock.now();
  const digest = (text: string) => digestOf(new TextEncoder().encode(text));
  const key = keyed("k");
  assert.deepEqual(await store.rows(), [
    { ...key, kind: "put", at, writer: "anne", before: undefined, after: digest("one") },
    { ...key, kind: "replace", at, writer: "bert", before: digest("one"), after: digest("two") },
    { ...key, kind: "delete", at, writer: "carl", before: digest("two"), after: undefined },
  ]);
  await store.close();
});

Deno.test("the audit has each change once, wherever a crash cuts its newest file", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open();
  for (let n = 0; n < 12; n++) await put(store.index, `k${n % 4}`, `${n}`, `w${n}`);
  await store.index.commit({ remove: [keyed("k1"), keyed("k2")], by: "x" });
  const whole = await store.told();
  assert.equal(whole.length, 14);
  await store.close();
  const newest = `${store.folder}/${(await listFiles(store.folder)).at(-1)}`;
  const bytes = await Deno.readFile(newest);
  for (let left = bytes.length; left >= 0; left -= 37) {
    await Deno.writeFile(newest, bytes.slice(0, left));
    await store.open();
    assert.deepEqual(await store.told(), whole, `${left} bytes were left`);
    await store.close();
  }
});

Deno.test("the audit has what the log has when the index or the audit itself is deleted", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open();
  for (let n = 0; n < 6; n++) await put(store.index, `k${n % 2}`, `${n}`);
  const whole = await store.told();
  await store.close();
  await Deno.remove(dir.join("index.sqlite"));
  await store.open();
  assert.deepEqual(await store.told(), whole);
  await store.close();
  await Deno.remove(store.folder, { recursive: true });
  await store.open();
  assert.deepEqual(await store.told(), whole);
  await store.close();
});

Deno.test("the audit outlives compactions of the log, also one that a crash follows", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open();
  for (let n = 0; n < 20; n++) await put(store.index, "k", `${n}`);
  await store.index.commit({ remove: [keyed("k")], by: "x" });
  assert.equal(await store.index.compact({ force: true }), true);
  await put(store.index, "after", "1");
  const whole = await store.told();
  assert.equal(whole.length, 22);
  await store.close();
  // The mark of the close, the row behind the compaction, and the mark of the compaction.
  for (let left = 1; left < 400; left += 20) {
    await store.lose(20);
    await store.open();
    assert.deepEqual(await store.told(), whole, `${left} bytes`);
    await store.close();
  }
});

Deno.test("a change whose note alone is in the log never happened", async () => {
  class CutLog extends MemoryLog {
    cut = false;
    override async append(records: readonly LogRecord[]): Promise<LogPosition> {
      if (!this.cut) return await super.append(records);
      await super.append(records.slice(0, 1));
      throw new CacheError("quota_exceeded", "Cannot write: the disk is full");
    }
  }
  await using dir = await tempDir();
  const log = new CutLog();
  const store = new Audited(dir, log);
  await store.open();
  await put(store.index, "k", "1");
  log.cut = true;
  await assert.rejects(put(store.index, "k", "2"), { kind: "quota_exceeded" });
  log.cut = false;
  await put(store.index, "k", "3", "bert");
  assert.deepEqual(await store.told(), ["put k anne", "replace k bert"]);
  await store.close();
  await Deno.remove(store.folder, { recursive: true });
  await store.open();
  assert.deepEqual(await store.told(), ["put k anne", "replace k bert"]);
  await store.close();
});

Deno.test("a change that became durable though its append failed is in the audit once", async () => {
  class LateLog extends MemoryLog {
    fail = false;
    override async append(records: readonly LogRecord[]): Promise<LogPosition> {
      const position = await super.append(records);
      if (!this.fail) return position;
      throw new CacheError("unavailable", "Cannot sync: the disk is gone");
    }
  }
  await using dir = await tempDir();
  const log = new LateLog();
  const store = new Audited(dir, log);
  await store.open();
  await put(store.index, "k", "1");
  log.fail = true;
  await assert.rejects(put(store.index, "k", "2", "bert"), { kind: "unavailable" });
  log.fail = false;
  await put(store.index, "k", "3", "carl");
  assert.deepEqual(await store.told(), ["put k anne", "replace k bert", "replace k carl"]);
  await store.close();
});

Deno.test("rows that the log could not be read for are missed until they are there", async () => {
  await using dir = await tempDir();
  const trail = openTrail({ dir: dir.path, limits: LIMITS, report: () => {} });
  try {
    const trouble = new CacheError("internal", "Cannot read the log: the disk has trouble");
    const next = () => Promise.reject<IteratorResult<ReadyRow>>(trouble);
    const unreadable = { [Symbol.asyncIterator]: () => ({ next }) };
    await assert.rejects(trail.catchUp(new MemoryLog(), () => unreadable), trouble);
    assert.ok(trail.behind, "a newer row would hide the gap for ever");
    await trail.catchUp(new MemoryLog(), async function* () {});
    assert.ok(!trail.behind);
  } finally {
    trail.close();
  }
});

Deno.test("what a crash left torn at the end is cut off, and nothing of it comes back", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open();
  await put(store.index, "k", "1");
  await store.close();
  const path = `${store.folder}/${(await listFiles(store.folder))[0]}`;
  const { size } = await Deno.stat(path);
  await Deno.writeFile(path, new Uint8Array(5000).fill(0x89), { append: true });
  await store.open();
  assert.equal((await Deno.stat(path)).size, size);
  await put(store.index, "k", "2");
  assert.deepEqual(await store.told(), ["put k anne", "replace k anne"]);
  await store.close();
});

Deno.test("a power cut that kept later rows without earlier ones loses none of them", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open();
  await put(store.index, "marked", "0");
  await store.close();
  await store.open();
  for (let n = 0; n < 100; n++) await put(store.index, `k${n}`, `${n}`);
  const told = await store.told();
  const path = `${store.folder}/${(await listFiles(store.folder)).at(-1)}`;
  const bytes = await Deno.readFile(path);
  await store.close();
  await Deno.writeFile(path, bytes.fill(0, 4096, 8192));
  await store.open();
  assert.deepEqual(await store.told(), told);
  await put(store.index, "later", "1");
  assert.deepEqual(await store.told(), [...told, "put later anne"]);
  await store.close();
});

Deno.test("files of the audit are rotated, and all of them stay below the limit", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  const limits = { fileBytes: 4096, totalBytes: 16_384 };
  await store.open(limits);
  for (let n = 0; n < 300; n++) await put(store.index, `k${n}`, `${n}`);
  const told = await store.told();
  assert.equal(told.at(-1), "put k299 anne");
  assert.ok(told.length > 30 && told.length < 300, `${told.length} rows`);
  const first = Number(/k(\d+)/.exec(told[0]!)![1]);
  assert.deepEqual(told, Array.from({ length: 300 - first }, (_, n) => `put k${first + n} anne`));
  const sizes = (await listFiles(store.folder)).map((name) =>
    Deno.statSync(`${store.folder}/${name}`).size
  );
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) <= limits.totalBytes, sizes.join(" "));
  assert.equal(store.index.auditBytes(), sizes.reduce((sum, size) => sum + size, 0));
  await store.close();
  await store.open(limits);
  assert.equal((await store.told()).at(-1), "put k299 anne");
  await store.close();
});

Deno.test("the audit is read by time, writer, prefix, kind, key and from where one was", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open({ fileBytes: 2048, totalBytes: 1024 * 1024 });
  const random = seededRandom("VITTE_AUDIT_SEED");
  const times: number[] = [];
  for (let n = 0; n < 200; n++) {
    store.world.clock.advance(1 + random.integer(0, 5000));
    times.push(store.world.clock.now());
    const writer = ["anne", "bert"][random.integer(0, 2)]!;
    const key = `${["app/", "lib/"][random.integer(0, 2)]}${random.integer(0, 20)}`;
    if (random.integer(0, 4) === 0) await store.index.commit({ remove: [keyed(key)], by: writer });
    else await put(store.index, key, `${n}`, writer);
  }
  const all = await store.rows();
  const [since, until] = [times[60]!, times[140]!];
  const expect = async (options: ReadAuditOptions, is: (row: EntryChange) => boolean) =>
    assert.deepEqual(await store.rows(options), all.filter(is));
  await expect({ since }, ({ at }) => at >= since);
  await expect({ since, until }, ({ at }) => at >= since && at < until);
  await expect({ writer: "bert" }, ({ writer }) => writer === "bert");
  await expect({ prefix: "app/" }, ({ key }) => key.startsWith("app/"));
  await expect({ kinds: ["delete"] }, ({ kind }) => kind === "delete");
  await expect({ namespace: "other" }, () => false);
  await expect({ keys: [keyed("lib/3")] }, ({ key }) => key === "lib/3");
  const context = { keys: store.world.keys, seal: noSeal };
  let n = 0;
  for await (const { row, cursor } of readAudit(store.folder, context, {})) {
    assert.deepEqual(row, all[n++]);
    if (n % 50 === 0) assert.deepEqual(await store.rows({ after: cursor }), all.slice(n));
  }
  assert.deepEqual(await checkAudit(store.folder, context), { rows: all.length, problems: [] });
  await store.close();
});

Deno.test("a damaged byte of the audit costs its row alone, and the check names it", async () => {
  await using dir = await tempDir();
  const store = new Audited(dir);
  await store.open();
  for (let n = 0; n < 5; n++) await put(store.index, `k${n}`, `${n}`);
  const path = `${store.folder}/${(await listFiles(store.folder))[0]}`;
  const bytes = await Deno.readFile(path);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  await Deno.writeFile(path, bytes);
  const told = await store.told();
  assert.equal(told.length, 4);
  const context = { keys: store.world.keys, seal: noSeal };
  const { rows, problems } = await checkAudit(store.folder, context);
  assert.equal(rows, 4);
  assert.match(
    problems.map(({ what, where }) => `${where}: ${what}`).join(),
    /^audit file 1, byte/,
  );
  store.index.mendAudit();
  assert.deepEqual(await checkAudit(store.folder, context), { rows: 4, problems: [] });
  assert.deepEqual(await store.told(), told);
  await put(store.index, "later", "1");
  await store.close();
  await store.open();
  assert.deepEqual(await store.told(), [...told, "put later anne"]);
  await store.close();
});

Deno.test("the audit leaks no descriptor", async () => {
  await assertNoLeaks(async () => {
    await using dir = await tempDir();
    const store = new Audited(dir);
    await store.open({ fileBytes: 1024, totalBytes: 8192 });
    for (let n = 0; n < 50; n++) await put(store.index, `k${n}`, `${n}`);
    await store.rows({ since: 1 });
    for await (
      const _ of readAudit(store.folder, { keys: store.world.keys, seal: noSeal }, {})
    ) break;
    await store.close();
  });
});
