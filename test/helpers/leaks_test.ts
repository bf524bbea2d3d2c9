import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { assertNoLeaks, trackWorker } from "./leaks.ts";
import { tempDir } from "./temp.ts";

const IDLE = "data:application/javascript,self.onmessage=()=>{}";

Deno.test("assertNoLeaks gives back the result of a function that closes everything", async () => {
  await using dir = await tempDir();
  const result = await assertNoLeaks(() => {
    closeSync(openSync(dir.join("file"), "w"));
    const db = new DatabaseSync(dir.join("db"));
    db.exec("pragma journal_mode = wal; create table t (x)");
    db.close();
    trackWorker(new Worker(IDLE, { type: "module" })).terminate();
    return 7;
  });
  assert.equal(result, 7);
});

Deno.test("assertNoLeaks names a leaked node:fs descriptor", async () => {
  await using dir = await tempDir();
  let fd = -1;
  await assert.rejects(
    assertNoLeaks(() => {
      fd = openSync(dir.join("leaked"), "w");
    }),
    (error: Error) => error.message.includes(dir.join("leaked")),
  );
  closeSync(fd);
});

Deno.test("assertNoLeaks counts a second descriptor of a file that was open before", async () => {
  await using dir = await tempDir();
  const first = openSync(dir.join("file"), "w");
  let second = -1;
  await assert.rejects(
    assertNoLeaks(() => {
      second = openSync(dir.join("file"), "r");
    }),
    /Leaked: .*file/,
  );
  closeSync(first);
  closeSync(second);
});

Deno.test("assertNoLeaks names a leaked SQLite handle", async () => {
  await using dir = await tempDir();
  let db: DatabaseSync | undefined;
  await assert.rejects(
    assertNoLeaks(() => {
      db = new DatabaseSync(dir.join("leaked.sqlite"));
      db.exec("create table t (x)");
    }),
    /leaked\.sqlite/,
  );
  db?.close();
});

Deno.test("assertNoLeaks names a leaked worker", async () => {
  let worker: Worker | undefined;
  await assert.rejects(
    assertNoLeaks(() => {
      worker = trackWorker(new Worker(IDLE, { type: "module" }), "hasher");
    }),
    /worker "hasher"/,
  );
  worker?.terminate();
});

Deno.test("assertNoLeaks waits for what is closed a moment later", async () => {
  await using dir = await tempDir();
  const fd = openSync(dir.join("late"), "w");
  closeSync(fd);
  let timer: ReturnType<typeof setTimeout> | undefined;
  await assertNoLeaks(() => {
    const late = openSync(dir.join("late"), "r");
    timer = setTimeout(() => closeSync(late), 5);
  });
  clearTimeout(timer);
});

Deno.test("assertNoLeaks hands on what the function threw", async () => {
  await assert.rejects(assertNoLeaks(() => Promise.reject(new RangeError("own"))), RangeError);
});
