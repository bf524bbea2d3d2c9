import assert from "node:assert/strict";
import type { ByteSource } from "../core/bytes.ts";
import { bytesSource, collect, streamOf, streamSource } from "../core/bytes.ts";
import { digestOf } from "../core/digest.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { SMALL_BODY_BYTES } from "../core/limits.ts";
import { assertNoLeaks } from "../test/helpers/leaks.ts";
import { listFiles, tempDir } from "../test/helpers/temp.ts";
import { sendableSource } from "./sendable_source.ts";

const bytesOf = (size: number) => new Uint8Array(size).map((_, i) => i % 253);
const NOWHERE = "/proc/no/such/folder";

Deno.test("sendableSource() gives every one-time stream its size and digest, at any size", async () => {
  await using folder = await tempDir();
  await assertNoLeaks(async () => {
    for (const size of [0, 1, SMALL_BODY_BYTES, SMALL_BODY_BYTES + 1, 3 * SMALL_BODY_BYTES]) {
      const bytes = bytesOf(size);
      for (const said of [undefined, size]) {
        await using sendable = await sendableSource(streamSource(streamOf(bytes), said), {
          digestFirst: true,
          spoolDir: folder.path,
        });
        const { source } = sendable;
        assert.equal(source.bytes !== undefined, size <= SMALL_BODY_BYTES);
        assert.deepEqual(source.seen, { digest: digestOf(bytes), size });
        assert.deepEqual([source.size, source.replayable], [size, true]);
        for (let time = 0; time < 2; time++) {
          assert.deepEqual(await collect(source.open(), 1e9), bytes);
        }
      }
    }
  });
});

Deno.test("sendableSource() copies nothing of what tells its size and can be sent as it is", async () => {
  const bytes = bytesOf(SMALL_BODY_BYTES + 1);
  const size = bytes.length;
  const file: ByteSource = { size, replayable: true, open: () => streamOf(bytes) };
  const forms: [ByteSource, boolean][] = [
    [streamSource(streamOf(bytes), size), false],
    [file, false],
    [file, true],
  ];
  for (const [source, digestFirst] of forms) {
    const options = { digestFirst, spoolDir: NOWHERE };
    await using sendable = await sendableSource(source, options);
    assert.equal(sendable.source.seen?.digest, digestFirst ? digestOf(bytes) : undefined);
    assert.deepEqual(await collect(sendable.source.open(), 1e9), bytes);
    assert.equal(sendable.source.seen?.digest, digestOf(bytes));
  }
  await assert.rejects(
    sendableSource(streamSource(streamOf(bytes)), { digestFirst: false, spoolDir: NOWHERE }),
    (thrown) => isKind(thrown, "invalid_argument") && thrown.message.includes(NOWHERE),
  );
});

Deno.test("sendableSource() refuses sources that say another size than they have", async () => {
  await using folder = await tempDir();
  await assertNoLeaks(async () => {
    for (const length of [10, SMALL_BODY_BYTES + 10]) {
      const bytes = bytesOf(length);
      for (const size of [length - 1, length + 1]) {
        const forms: ByteSource[] = [
          streamSource(streamOf(bytes), size),
          { size, replayable: true, open: () => streamOf(bytes) },
          { ...bytesSource(bytes), size },
        ];
        for (const source of forms) {
          await assert.rejects(
            sendableSource(source, { digestFirst: true, spoolDir: folder.path }),
            (thrown) => isKind(thrown, "invalid_argument"),
          );
        }
      }
    }
  });
});

Deno.test("sendableSource() lets go of stream and file when it is aborted or the stream fails", async () => {
  await using folder = await tempDir();
  await assertNoLeaks(async () => {
    for (const before of [0, 10, 2 * SMALL_BODY_BYTES]) {
      for (const failure of [undefined, new CacheError("quota_exceeded", "Cannot read: mine")]) {
        const abort = new AbortController();
        const reason = new Error("enough");
        let cancelled = false;
        let given = 0;
        const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
          async pull(controller) {
            if (given < before) {
              const part = bytesOf(Math.min(100_000, before - given));
              given += part.length;
              return controller.enqueue(part);
            }
            if (failure) throw failure;
            // Hangs; the abort comes from outside.
            queueMicrotask(() => abort.abort(reason));
            await new Promise<void>(() => {});
          },
          cancel: () => void (cancelled = true),
        }, { highWaterMark: 0 });
        const options = { digestFirst: false, spoolDir: folder.path, signal: abort.signal };
        await assert.rejects(
          sendableSource(streamSource(stream), options),
          (thrown) => thrown === (failure ?? reason),
        );
        assert.equal(cancelled, failure === undefined);
        assert.deepEqual(await listFiles(folder.path), []);
      }
    }
  });
});
