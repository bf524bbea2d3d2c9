/** What kills and power cuts of `test/e2e/kill_points_test.ts` once found, each by itself. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { openEngine } from "../../app/compose.ts";
import { encodeHeader } from "../../codec/record.ts";
import { bytesSource, concat } from "../../core/bytes.ts";
import { systemClock } from "../../core/clock.ts";
import { openFsStore } from "../../store/fs/fs_store.ts";
import { plainStored } from "../../store/pack/pack.ts";
import { listFiles, tempDir } from "../helpers/temp.ts";
import { readFolder, writeFolder } from "../crash/folder_image.ts";
import { keyOf } from "../crash/work_items.ts";
import { draftOf } from "../damage/world.ts";
import { chunk, chunks, openTestStore } from "./pack_store.ts";

Deno.test("PackWriter: a row of a record that no start looks for is on the disk before the acknowledge", async () => {
  await using dir = await tempDir();
  await using store = await openTestStore(dir.path, { segmentSize: 100_000 });
  const { writer } = store;
  const { db } = writer.shared;
  let durable = 0;
  const exec = db.exec.bind(db);
  db.exec = (sql) => {
    if (sql === "PRAGMA synchronous = FULL") durable++;
    return exec(sql);
  };
  const during = async (work: () => Promise<void>) => {
    const before = durable;
    await work();
    return durable - before;
  };
  const alone = await during(() => writer.commitRecords(undefined, chunks(0, 3)));
  assert.equal(alone, 0, "a start finds them behind what the tables know");
  await writer.append("early", chunks(10, 12));
  await writer.commitRecords(undefined, chunks(20, 22));
  assert.equal(await during(() => writer.commitRecords("early", [])), 1, "others went before it");
  await writer.append("ended", chunks(30, 32));
  await writer.seal();
  assert.equal(await during(() => writer.commitRecords("ended", [])), 1, "its segment was ended");
  const rolled = await during(() => writer.commitRecords(undefined, chunks(40, 160)));
  assert.ok(rolled >= 2, "one for the end of the segment, one for its last rows");
});

Deno.test("openPackWriter: whole records behind sectors that were never written are torn, not damaged", async () => {
  await using dir = await tempDir();
  const [left, kept, lost] = [dir.join("left"), chunk(1), chunk(2)];
  const { kind, id, body } = lost;
  const bytes = concat([encodeHeader(plainStored({ kind, id, body })), body]);
  {
    await using store = await openTestStore(dir.join("store"));
    await store.writer.commitRecords(undefined, [kept]);
    const image = new Map(await readFolder(dir.join("store")));
    for (const [path, content] of image) {
      if (!path.endsWith(".seg") || content === "folder" || content.length < 100) continue;
      const gap = new Uint8Array(1024 - content.length % 512);
      image.set(path, concat([content, gap, bytes]));
    }
    await writeFolder(left, image);
  }
  await using store = await openTestStore(left);
  assert.deepEqual(store.reader.read("chunk", kept.id), kept.body);
  assert.equal(store.reader.read("chunk", id), undefined, "it was never acknowledged");
  assert.equal(store.writer.stats().quarantined, 0);
  assert.deepEqual(store.events.map(({ type }) => type), ["recovered"]);
});

Deno.test("openEngine: a deletion that a kill cut off is finished", async () => {
  await using dir = await tempDir();
  const packs = async () =>
    (await listFiles(dir.path)).filter((path) => path.startsWith("packs/data"));
  {
    await using engine = await openEngine(dir.path, {
      clock: systemClock,
      maxSize: 32 * 1024 * 1024,
    });
    for (let n = 0; n < 5; n++) {
      const body = crypto.getRandomValues(new Uint8Array(60_000));
      const all = concat(Array.from({ length: 6 }, (_, i) => body.map((byte) => byte ^ i)));
      await engine.cache.blobs("default").put(undefined, bytesSource(all));
    }
  }
  assert.equal((await packs()).length, 1);
  const db = new DatabaseSync(dir.join("packs.sqlite"));
  db.exec("UPDATE segments SET state = 'dropping' WHERE state = 'sealed'");
  db.close();
  const said: string[] = [];
  await using engine = await openEngine(dir.path, {
    clock: systemClock,
    maxSize: 32 * 1024 * 1024,
    report: (line) => said.push(line),
  });
  assert.deepEqual(said, []);
  assert.deepEqual(await packs(), []);
  assert.equal((await engine.stats())["segments"], 2);
});

Deno.test("openPackWriter: a pack whose name may not be durable gets it again before its file goes", async () => {
  await using dir = await tempDir();
  const objects = await openFsStore(dir.join("objects"));
  const puts: string[] = [];
  {
    await using store = await openTestStore(dir.path, {
      objects,
      faults(point) {
        // The pack has its name, and the process dies before the tables know.
        if (point === "seal.before_tables") throw new Error("killed");
      },
    });
    await store.writer.commitRecords(undefined, [chunk(1)]);
    await store.writer.seal();
  }
  const db = new DatabaseSync(dir.join("packs.sqlite"));
  db.exec("UPDATE meta SET value = 0 WHERE key = 'clean'");
  db.close();
  const put: typeof objects.put = (key, source, options) => {
    puts.push(`${key} from ${source.path?.split("/").at(-2)}`);
    return objects.put(key, source, options);
  };
  await using store = await openTestStore(dir.path, { objects: { ...objects, put } });
  assert.equal(puts.filter((line) => /^data\/.* from active$/.test(line)).length, 1);
  assert.deepEqual(store.reader.read("chunk", chunk(1).id), chunk(1).body);
  assert.deepEqual(store.events.filter(({ type }) => type !== "recovered"), []);
});

Deno.test("openEngine: zeros in the log before what the index knows are told as damage, never cut in silence", async () => {
  await using dir = await tempDir();
  const [live, left] = [dir.join("live"), dir.join("left")];
  const options = { clock: systemClock, maxSize: 32 * 1024 * 1024 };
  const lookup = (key: string) => ({ ...keyOf(key), scopes: ["main"] });
  {
    await using engine = await openEngine(live, options);
    const put = (key: string) =>
      engine.cache.put(draftOf({ namespace: "default", key }), bytesSource(new Uint8Array(900)));
    await put("k0");
    const early = await readFolder(live);
    const end = (await Deno.stat(await logOf(live))).size;
    for (const key of ["k1", "k2", "k3", "k4"]) await put(key);
    // Rows of what is new may be open for half a second; a scan has them committed.
    await Array.fromAsync(engine.cache.scan());
    const image = new Map(await readFolder(live));
    // The power cut took the last of one table and not of the other, and a sector has rotted.
    for (const path of ["packs.sqlite", "packs.sqlite-wal"]) image.set(path, early.get(path)!);
    const path = (await logOf(live)).slice(live.length + 1);
    const bytes = (image.get(path) as Uint8Array<ArrayBuffer>).slice();
    const sector = Math.ceil(end / 512) * 512;
    image.set(path, bytes.fill(0, sector, sector + 512));
    await writeFolder(left, image);
  }
  const said: string[] = [];
  await using engine = await openEngine(left, { ...options, report: (line) => said.push(line) });
  assert.ok(await engine.cache.find(lookup("k0")), "what is whole is there");
  assert.equal(await engine.cache.find(lookup("k4")), undefined);
  assert.ok(said.some((line) => line.startsWith("ALARM")), said.join("\n"));
  assert.ok(Number((await engine.stats())["quarantined"]) > 0);
});

/** The active segment of the log. */
async function logOf(dir: string): Promise<string> {
  for (const path of await listFiles(`${dir}/active`)) {
    const bytes = await Deno.readFile(`${dir}/active/${path}`);
    if (bytes[10] !== 1) return `${dir}/active/${path}`;
  }
  throw new Error("there is no log");
}
