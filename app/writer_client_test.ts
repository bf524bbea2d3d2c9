/** `writer_client.ts` and `writer_server.ts`: two ends of one real `MessageChannel`. */
import assert from "node:assert/strict";
import type { CommitBatch, CommitResult, WriterPort } from "../core/chunk_store.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError, isKind } from "../core/errors.ts";
import type { Entry, EntryDraft, EntryId } from "../core/entry.ts";
import { PACKED_BODY_BYTES, PACKED_COMMIT_BYTES } from "../core/limits.ts";
import type { DataRecord } from "../core/record.ts";
import type { DamagedPlace } from "../store/pack/damage.ts";
import { draft } from "../test/suites/metadata_index_world.ts";
import { WriterClient } from "./writer_client.ts";
import { serveWriter } from "./writer_server.ts";
import type { ServedThread } from "./writer_server.ts";

interface Connected extends AsyncDisposable {
  readonly client: WriterClient;
  readonly served: ServedThread;
  readonly calls: string[];
  readonly appended: DataRecord[];
  readonly batches: CommitBatch[];
  readonly touched: { readonly ids: readonly EntryId[]; readonly at: number }[];
  readonly places: DamagedPlace[];
  readonly retired: (readonly number[])[];
  /** Types of the messages that the writer's thread had, and of those that it sent. */
  readonly messages: string[];
  readonly answers: string[];
  /** Makes the next work fail, or wait. */
  next: () => Promise<void>;
  /** What a commit is answered. */
  result: (batch: CommitBatch) => CommitResult;
  /** Hears of the records of commits as they are, not copied. */
  keep: (records: readonly DataRecord[]) => void;
}

const RESULT: CommitResult = { put: undefined, removed: 3 };

function connect(): Connected {
  const { port1, port2 } = new MessageChannel();
  const calls: string[] = [];
  const appended: DataRecord[] = [];
  const batches: CommitBatch[] = [];
  const touched: { ids: readonly EntryId[]; at: number }[] = [];
  const places: DamagedPlace[] = [];
  const retired: (readonly number[])[] = [];
  const writer: WriterPort = {
    async append(upload, records) {
      calls.push(`append ${upload}`);
      appended.push(...copied(records));
      await connected.next();
    },
    async commit(batch) {
      calls.push(`commit ${batch.upload}`);
      batches.push({ ...batch, records: copied(batch.records ?? []) });
      connected.keep(batch.records ?? []);
      await connected.next();
      return connected.result(batch);
    },
    async abort(upload) {
      calls.push(`abort ${upload}`);
      await connected.next();
    },
    touch: (kind, ids) => void calls.push(`touch ${kind} ${ids.length}`),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const served = serveWriter(port1, {
    writer,
    touchEntries: (ids, at) => void touched.push({ ids, at }),
    damaged: (place) => void places.push(place),
    commitRows: () => void touched.push({ ids: [], at: 0 }),
    operations: { double: (n) => Promise.resolve(Number(n) * 2) },
  });
  const client = new WriterClient(port2, { onRetire: (segments) => void retired.push(segments) });
  const messages: string[] = [];
  port1.addEventListener("message", ({ data }) => void messages.push(data.type));
  const answers: string[] = [];
  port2.addEventListener("message", ({ data }) => void answers.push(data.type));
  const connected: Connected = {
    client,
    served,
    calls,
    appended,
    batches,
    touched,
    places,
    retired,
    messages,
    answers,
    next: () => Promise.resolve(),
    result: () => RESULT,
    keep: () => {},
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      connected.next = () => Promise.resolve();
      await served[Symbol.asyncDispose]();
    },
  };
  return connected;
}

function stamped({ mutability: _, ...facts }: EntryDraft, sequence: number): Entry {
  const stamp = { epoch: 1, hlc: 5n, device: "0123456789abcdef", valueHash: "ab" };
  return { ...facts, stamp, sequence, used: 3 };
}

/** Bodies are the writer's only until it has answered. */
function copied(records: readonly DataRecord[]): DataRecord[] {
  return records.map((one) => ({ ...one, body: one.body.slice() }));
}

function record(body: Bytes, kind: DataRecord["kind"] = "chunk"): DataRecord {
  return { kind, id: new Uint8Array(32).fill(body[0] ?? 0), body };
}

Deno.test("WriterClient hands appends, commits and aborts to the writer and brings the answers", async () => {
  await using c = connect();
  await c.client.append("u", [
    record(new Uint8Array([1, 2])),
    record(new Uint8Array([3]), "recipe"),
  ]);
  const entry = draft("k", { mutability: "immutable", tags: ["t"] });
  const batch = { upload: "u", records: [record(new Uint8Array([9]))], entry };
  assert.deepEqual(await c.client.commit(batch), RESULT);
  await c.client.abort("v");
  assert.deepEqual(c.calls, ["append u", "commit u", "abort v"]);
  assert.deepEqual(c.appended.map(({ kind, body }) => [kind, [...body]]), [
    ["chunk", [1, 2]],
    ["recipe", [3]],
  ]);
  assert.deepEqual(c.batches[0]?.entry, entry);
  assert.deepEqual(c.batches[0]?.records?.map(({ body }) => [...body]), [[9]]);
});

Deno.test("WriterClient gives each of many waiting calls its own answer", async () => {
  await using c = connect();
  const { promise, resolve } = Promise.withResolvers<void>();
  c.next = () => promise;
  const append = c.client.append("u", [record(new Uint8Array([1]))]);
  const commit = c.client.commit({ upload: "w" });
  // These are answered while the others wait.
  const doubled = await Promise.all([1, 2, 3].map((n) => c.client.call<number>("double", n)));
  assert.deepEqual(doubled, [2, 4, 6]);
  resolve();
  assert.deepEqual(await Promise.all([append, commit]), [undefined, RESULT]);
});

Deno.test("WriterClient moves whole buffers, and copies what is a view of a larger one", async () => {
  await using c = connect();
  const own = new Uint8Array([1, 2, 3]);
  const large = new Uint8Array([7, 8, 9, 10]);
  const shared = new Uint8Array([5, 5]);
  await c.client.append("u", [
    record(own),
    record(large.subarray(1, 3)),
    record(shared),
    { kind: "recipe", id: new Uint8Array(32), body: shared },
  ]);
  assert.deepEqual([own.length, shared.length], [0, 0], "memory changed hands");
  assert.deepEqual([...large], [7, 8, 9, 10], "the rest of the buffer is its owner's");
  assert.deepEqual(c.appended.map(({ body }) => [...body]), [[1, 2, 3], [8, 9], [5, 5], [5, 5]]);
  const small = new Uint8Array([4]);
  const big = new Uint8Array(PACKED_COMMIT_BYTES).fill(6);
  await Promise.all([small, big].map((body) => c.client.commit({ records: [record(body)] })));
  assert.deepEqual([small.length, big.length], [1, 0], "small bodies are copied");
  const sizes = c.batches.map(({ records = [] }) => records[0]?.body.length);
  assert.deepEqual(sizes.sort(), [1, PACKED_COMMIT_BYTES]);
});

Deno.test("WriterClient sends the small commits of one turn together, and each has its own answer", async () => {
  await using c = connect();
  c.result = (batch) => {
    const { entry } = batch;
    if (!entry) return RESULT;
    if (entry.key === "2") throw new CacheError("conflict", "taken");
    const put = { entry: stamped(entry, 7), replaced: stamped(draft("before"), 6) };
    return { put, removed: 0 };
  };
  const entries = ["0", "1", "2", "3"].map((key) => draft(key, { tags: [key], cost: 5 }));
  const results = await Promise.allSettled(
    entries.map((entry, n) =>
      c.client.commit({
        entry,
        records: [record(new Uint8Array([n, n])), record(new Uint8Array(n))],
      })
    ),
  );
  assert.deepEqual(c.messages, ["commits"]);
  assert.deepEqual(c.answers, ["committed"]);
  for (const [n, result] of results.entries()) {
    const { records = [], entry } = c.batches[n]!;
    assert.deepEqual(entry, entries[n]);
    assert.deepEqual(records.map(({ id, body }) => [id[31], [...body]]), [
      [n, [n, n]],
      [0, Array(n).fill(0)],
    ]);
    if (n === 2) assert.ok(result.status === "rejected" && isKind(result.reason, "conflict"));
    else {
      const put = { entry: stamped(entries[n]!, 7), replaced: stamped(draft("before"), 6) };
      assert.deepEqual(result, { status: "fulfilled", value: { put, removed: 0 } });
    }
  }
});

Deno.test("A small commit that can not be sent fails alone", async () => {
  await using c = connect();
  const inputs = { a: (() => {}) as unknown as string };
  const [first, second] = await Promise.allSettled([
    c.client.commit({ entry: draft("bad", { inputs }), records: [record(new Uint8Array([1]))] }),
    c.client.commit({ records: [record(new Uint8Array([2]))] }),
  ]);
  assert.ok(first.status === "rejected" && isKind(first.reason, "internal"));
  assert.deepEqual(second, { status: "fulfilled", value: RESULT });
  assert.deepEqual(c.batches.map(({ records = [] }) => [...records[0]!.body]), [[2]]);
});

Deno.test("Bodies of small commits live until the last of their message is written, ids for ever", async () => {
  await using c = connect();
  const first = Promise.withResolvers<void>();
  const kept: DataRecord[] = [];
  c.keep = (records) => kept.push(...records);
  c.next = () => kept.length === 1 ? first.promise : Promise.resolve();
  const slow = c.client.commit({ records: [record(new Uint8Array([1]))] });
  await c.client.commit({ records: [record(new Uint8Array([2]))] });
  await turns();
  assert.deepEqual(kept.map(({ body }) => [...body]), [[1], [2]]);
  first.resolve();
  await slow;
  await turns();
  assert.deepEqual(kept.map(({ body }) => body.length), [0, 0], "the memory is given back");
  assert.deepEqual(kept.map(({ id }) => id[31]), [1, 2]);
});

Deno.test("Larger bodies of small commits go in the same message as they are, and are given back", async () => {
  await using c = connect();
  const kept: DataRecord[] = [];
  c.keep = (records) => kept.push(...records);
  const slow = Promise.withResolvers<void>();
  c.next = () => kept.length === 3 ? slow.promise : Promise.resolve();
  const larger = new Uint8Array(PACKED_BODY_BYTES + 1).fill(7);
  const view = new Uint8Array(larger.length + 9).fill(8).subarray(9);
  const first = c.client.commit({ records: [record(new Uint8Array([1])), record(larger)] });
  const second = c.client.commit({ records: [record(view)] });
  await first;
  assert.deepEqual(c.messages, ["commits"]);
  assert.equal(larger.length, 0, "it has changed hands");
  assert.equal(view.length, PACKED_BODY_BYTES + 1, "what is a part of more is copied");
  const sent = c.batches.map(({ records = [] }) =>
    records.map(({ body }) => [body.length, body[0]])
  );
  assert.deepEqual(sent, [[[1, 1], [PACKED_BODY_BYTES + 1, 7]], [[view.length, 8]]]);
  slow.resolve();
  await second;
  await turns();
  assert.deepEqual(kept.map(({ body }) => body.length), [0, 0, 0], "the memory is given back");
});

Deno.test("WriterClient brings errors with kind, hint, retry and context, and goes on", async () => {
  await using c = connect();
  const conflict = new CacheError("conflict", 'Cannot put "k": it is there already', {
    operation: "writer.commit",
    hint: "choose another key",
    retry: "exhausted",
    context: { key: "k", size: 7 },
  });
  const calls = [
    () => c.client.append("u", []),
    () => c.client.commit({ upload: "u" }),
    () => c.client.abort("u"),
  ];
  for (const call of calls) {
    c.next = () => Promise.reject(conflict);
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof CacheError);
      const { kind, message, hint, retry, operation, context } = error;
      assert.deepEqual({ kind, message, hint, retry, operation, context }, {
        kind: "conflict",
        message: conflict.message,
        hint: "choose another key",
        retry: "exhausted",
        operation: "writer.commit",
        context: { key: "k", size: 7 },
      });
      return true;
    });
  }
  c.next = () => Promise.reject(new TypeError("a slip"));
  await assert.rejects(c.client.abort("u"), (error) => isKind(error, "internal"));
  await assert.rejects(
    c.client.call("nonsense", 1),
    (error) => isKind(error, "internal") && error.message.includes('"nonsense"'),
  );
  c.next = () => Promise.resolve();
  assert.deepEqual(await c.client.commit({}), RESULT);
});

Deno.test("WriterClient that is closed answers unavailable, to who waits and who comes", async () => {
  await using c = connect();
  const { promise, resolve } = Promise.withResolvers<void>();
  c.next = () => promise;
  const waiting = [c.client.append("u", []), c.client.commit({}), c.client.call("double", 1)];
  const ends = Promise.allSettled(waiting);
  await c.client[Symbol.asyncDispose]();
  await c.client[Symbol.asyncDispose]();
  for (const end of await ends) {
    assert.ok(end.status === "rejected" && isKind(end.reason, "unavailable"), end.status);
  }
  for (const call of [() => c.client.append("u", []), () => c.client.abort("u")]) {
    await assert.rejects(call(), (error) => isKind(error, "unavailable"));
  }
  c.client.touch("chunk", [new Uint8Array(32)]);
  c.client.damaged({ segment: 1, offset: 2, length: 3 });
  resolve();
});

Deno.test("WriterClient tells of uses in one message, of damage at once, and last of all at its end", async () => {
  await using c = connect();
  const id = (n: number) => new Uint8Array(32).fill(n);
  c.client.touch("chunk", [id(1), id(2)]);
  c.client.touch("chunk", [id(2)]);
  c.client.touchEntries([id(3)], 10);
  c.client.touchEntries([id(4)], 20);
  c.client.damaged({ kind: "chunk", id: id(1), segment: 4, offset: 5, length: 6 });
  await c.client.abort("now all before it has come");
  assert.deepEqual(c.places, [{ kind: "chunk", id: id(1), segment: 4, offset: 5, length: 6 }]);
  assert.deepEqual(c.touched, []);
  await c.client[Symbol.asyncDispose]();
  await turns();
  assert.deepEqual(c.calls.slice(1), ["touch chunk 2"]);
  assert.deepEqual(c.touched, [{ ids: [id(3), id(4)], at: 20 }]);
});

Deno.test("ServedThread.retire reaches the client, before later answers", async () => {
  await using c = connect();
  c.served.retire([1, 2]);
  c.served.retire([3]);
  await c.client.abort("x");
  assert.deepEqual(c.retired, [[1, 2], [3]]);
});

Deno.test("ServedThread that is disposed aborts the uploads that its thread left open, and only them", async () => {
  await using c = connect();
  for (const upload of ["a", "b", "c", "d"]) await c.client.append(upload, []);
  await c.client.commit({ upload: "b" });
  await c.client.abort("c");
  c.calls.splice(0);
  await c.served[Symbol.asyncDispose]();
  assert.deepEqual(c.calls, ["abort a", "abort d"]);
  await c.served[Symbol.asyncDispose]();
  assert.deepEqual(c.calls, ["abort a", "abort d"]);
});

Deno.test("ServedThread that is disposed during work ends it quietly: nobody hears the answer", async () => {
  await using c = connect();
  const { promise, resolve } = Promise.withResolvers<void>();
  c.next = () => promise;
  const append = c.client.append("u", []).then(() => "done", (error) => error.kind);
  const failing = c.client.call("nonsense", 1).then(() => "done", (error) => error.kind);
  await turns();
  c.next = () => Promise.resolve();
  await c.served[Symbol.asyncDispose]();
  c.served.retire([9]);
  resolve();
  await turns();
  assert.deepEqual(c.calls, ["append u", "abort u"]);
  assert.deepEqual(c.retired, []);
  await c.client[Symbol.asyncDispose]();
  assert.deepEqual(await Promise.all([append, failing]), ["unavailable", "internal"]);
});

Deno.test("WriterClient reports what can not be sent as an error of the call, and forgets the call", async () => {
  await using c = connect();
  await assert.rejects(
    c.client.call("double", () => {}),
    (error) => isKind(error, "internal"),
  );
  await c.client.append("u", [record(new Uint8Array([1]))]);
  assert.equal(c.appended.length, 1);
});

/** Lets messages that are on their way arrive. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
}
