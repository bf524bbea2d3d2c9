/** Disks that fail: full, broken, gone quiet about what they lost. */
import assert from "node:assert/strict";
import { isKind } from "../../core/errors.ts";
import type { FaultPoint } from "../../store/pack/faults.ts";
import { skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import { assertInvariants } from "./pack_invariants.ts";
import { chunk, chunks, openTestStore } from "./pack_store.ts";

function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code, syscall: "write" });
}

Deno.test("commitRecords: requests that wait together share their syncs", async () => {
  await using dir = await tempDir();
  const met = new Map<FaultPoint, number>();
  const faults = (point: FaultPoint) => void met.set(point, (met.get(point) ?? 0) + 1);
  await using store = await openTestStore(dir.path, { faults });
  met.clear();
  await Promise.all(chunks(0, 64).map((record) => store.writer.commitRecords(undefined, [record])));
  assert.equal(met.get("commit.before_sync"), 1);
  assert.equal(met.get("commit.before_write"), 1);
  assert.equal(met.get("commit.before_tables"), 1);
  assert.equal(met.get("log.before_sync"), undefined, "a file with nothing new is not synced");
  // What comes while a round is under way is the next round, all of it.
  const late: Promise<void>[] = [];
  for (let i = 0; i < 5; i++) {
    late.push(
      ...chunks(100 + i * 10, 110 + i * 10).map((record) =>
        store.writer.commitRecords(undefined, [record])
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all(late);
  assert.ok(met.get("commit.before_sync")! <= 6);
});

Deno.test("commitRecords: data is durable before the log, each before its tables", async () => {
  await using dir = await tempDir();
  const met: FaultPoint[] = [];
  await using store = await openTestStore(dir.path, { faults: (point) => void met.push(point) });
  met.length = 0;
  await Promise.all([
    store.writer.log.append([{ kind: "entry", id: chunk(1).id, body: chunk(1).body }]),
    store.writer.commitRecords(undefined, chunks(2, 3)),
  ]);
  assert.deepEqual(met, [
    "commit.before_write",
    "commit.after_write",
    "commit.before_sync",
    "commit.after_sync",
    "commit.before_tables",
    "commit.in_tables",
    "commit.after_tables",
    "log.before_write",
    "log.after_write",
    "log.before_sync",
    "log.after_sync",
    "commit.before_tables",
    "commit.in_tables",
    "commit.after_tables",
  ]);
});

for (const code of ["ENOSPC", "EIO"]) {
  const kind = code === "ENOSPC" ? "quota_exceeded" : "unavailable";
  Deno.test(`commitRecords: ${code} while writing is ${kind} for that one, the store goes on`, async () => {
    await using dir = await tempDir();
    let failing = 0;
    await using store = await openTestStore(dir.path, {
      faults(point) {
        if (point === "commit.before_write" && failing-- > 0) throw diskError(code);
      },
    });
    const { writer, reader } = store;
    await writer.commitRecords(undefined, [chunk(0)]);
    // The write of all together fails, then that of the first alone: only the first must fail.
    failing = 2;
    const outcome = await Promise.allSettled(
      chunks(1, 4).map((record) => writer.commitRecords(undefined, [record])),
    );
    assert.deepEqual(outcome.map(({ status }) => status), ["rejected", "fulfilled", "fulfilled"]);
    const [first] = outcome;
    assert.ok(first?.status === "rejected" && isKind(first.reason, kind));
    const here = reader.has("chunk", chunks(0, 4).map(({ id }) => id));
    assert.deepEqual(here, [true, false, true, true]);
    await writer.commitRecords(undefined, [chunk(1)]);
    await assertInvariants(store, dir.path);
  });
}

Deno.test("commitRecords: after a failed sync nothing of it is trusted, and a new segment is begun", async () => {
  await using dir = await tempDir();
  let failing = 0;
  const options = {
    segmentSize: 1_000_000,
    faults(point: FaultPoint) {
      if (point === "commit.before_sync" && failing-- > 0) throw diskError("EIO");
    },
  };
  {
    await using store = await openTestStore(dir.path, options);
    const { writer, reader } = store;
    await writer.commitRecords(undefined, chunks(0, 10));
    await writer.append("poisoned", chunks(10, 20));
    await writer.append("shares", [...chunks(10, 12), ...chunks(0, 2)]);
    await writer.append("untouched", chunks(0, 5));
    failing = 1;
    await assert.rejects(
      writer.commitRecords(undefined, chunks(20, 30)),
      (error) => isKind(error, "unavailable"),
    );
    const before = writer.shared.db.prepare("SELECT count(*) AS n FROM segments").get()!["n"];
    for (const name of ["poisoned", "shares"]) {
      await assert.rejects(writer.commitRecords(name, []), (error) => isKind(error, "unavailable"));
    }
    await writer.commitRecords("untouched", []);
    assert.ok(reader.has("chunk", chunks(10, 30).map(({ id }) => id)).every((here) => !here));
    await writer.commitRecords(undefined, chunks(10, 30));
    const after = writer.shared.db.prepare("SELECT count(*) AS n FROM segments").get()!["n"];
    assert.equal(Number(after), Number(before) + 1);
    for (const { id, body } of chunks(0, 30)) {
      assert.deepEqual(await reader.read("chunk", id), body);
    }
    await writer.seal();
    await assertInvariants(store, dir.path);
  }
  await Deno.remove(dir.join("packs.sqlite"));
  await using store = await openTestStore(dir.path, options);
  for (const { id, body } of chunks(0, 30)) {
    assert.deepEqual(await store.reader.read("chunk", id), body);
  }
});

Deno.test("log.append: a failed sync is an error, and the log goes on without what it lost", async () => {
  await using dir = await tempDir();
  let failing = 0;
  await using store = await openTestStore(dir.path, {
    faults(point) {
      if (point === "log.before_sync" && failing-- > 0) throw diskError("EIO");
    },
  });
  const { log } = store.writer;
  const entry = (n: number) =>
    ({ kind: "entry", ...{ id: chunk(n).id, body: chunk(n).body } }) as const;
  await log.append([entry(1)]);
  failing = 1;
  await assert.rejects(log.append([entry(2)]), (error) => isKind(error, "unavailable"));
  const end = await log.append([entry(3)]);
  const found = [];
  for await (const { record, position } of log.scan()) found.push([record.body, position]);
  assert.deepEqual(found.map(([body]) => body), [entry(1).body, entry(3).body]);
  assert.deepEqual(found[1]![1], end);
  assert.deepEqual(log.end(), end);
});

Deno.test("commitRecords: tables that can not be written fail the commit and lose nothing else", async () => {
  await using dir = await tempDir();
  let failing = 0;
  await using store = await openTestStore(dir.path, {
    faults(point) {
      if (point === "commit.in_tables" && failing-- > 0) throw diskError("ENOSPC");
    },
  });
  const { writer, reader } = store;
  await writer.commitRecords(undefined, [chunk(0)]);
  failing = 1;
  await assert.rejects(
    writer.commitRecords(undefined, [chunk(1)]),
    (error) => isKind(error, "quota_exceeded"),
  );
  assert.equal(reader.read("chunk", chunk(1).id), undefined);
  await writer.commitRecords(undefined, [chunk(1)]);
  assert.deepEqual(reader.read("chunk", chunk(1).id), chunk(1).body);
  await assertInvariants(store, dir.path);
});

Deno.test("seal: a store that does not take the pack leaves it readable, the next seal succeeds", async () => {
  await using dir = await tempDir();
  let base = 0;
  for (const point of ["seal.before_footer", "seal.before_sync", "seal.before_put"] as const) {
    base += 100;
    let failing = 1;
    await using store = await openTestStore(dir.path, {
      faults(at) {
        if (at === point && failing-- > 0) throw diskError("EIO");
      },
    });
    const { writer, reader } = store;
    const records = chunks(base, base + 30);
    await writer.commitRecords(undefined, records);
    await writer.seal();
    assert.equal(store.events.filter(({ type }) => type === "failed").length, 1);
    for (const { id, body } of records) assert.deepEqual(reader.read("chunk", id), body);
    await writer.commitRecords(undefined, [chunk(base + 50)]);
    await writer.seal();
    await assertInvariants(store, dir.path);
    for (const { id, body } of records) assert.deepEqual(reader.read("chunk", id), body);
  }
});

skippable("PackWriter: a full disk is quota_exceeded, and the store goes on when there is room", {
  need: () => Deno.uid() === 0 ? undefined : "only root can mount a small disk",
}, async () => {
  await using dir = await tempDir();
  const mount = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=6m", "tmpfs", dir.path],
  }).output();
  assert.ok(mount.success, new TextDecoder().decode(mount.stderr));
  try {
    await Deno.writeFile(dir.join("ballast"), new Uint8Array(2_000_000));
    await using store = await openTestStore(dir.path, { segmentSize: 1024 * 1024 });
    const { writer, reader } = store;
    const kept: number[] = [];
    let refused = 0;
    for (let i = 0; i < 80; i++) {
      await writer.commitRecords(undefined, [chunk(i, 60_000)]).then(
        () => kept.push(i),
        (error) => {
          assert.ok(isKind(error, "quota_exceeded"), String(error));
          refused++;
        },
      );
    }
    assert.ok(kept.length > 20 && refused > 10, `${kept.length} kept, ${refused} refused`);
    for (const i of kept) {
      assert.deepEqual(await reader.read("chunk", chunk(i, 60_000).id), chunk(i, 60_000).body);
    }
    await Deno.remove(dir.join("ballast"));
    for (let i = 100; i < 120; i++) await writer.commitRecords(undefined, [chunk(i, 60_000)]);
    for (const i of kept) {
      assert.deepEqual(await reader.read("chunk", chunk(i, 60_000).id), chunk(i, 60_000).body);
    }
    assert.equal((await writer.verify()).damaged, 0);
    await store[Symbol.asyncDispose]();
    await using again = await openTestStore(dir.path, { segmentSize: 1024 * 1024 });
    for (const i of [...kept, 100, 119]) {
      assert.deepEqual(
        await again.reader.read("chunk", chunk(i, 60_000).id),
        chunk(i, 60_000).body,
      );
    }
  } finally {
    const unmount = await new Deno.Command("umount", { args: [dir.path] }).output();
    assert.ok(unmount.success, new TextDecoder().decode(unmount.stderr));
  }
});
