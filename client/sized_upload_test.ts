import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import type { ByteSource } from "../core/bytes.ts";
import { streamSource } from "../core/bytes.ts";
import { digestFromBytes, digestOf } from "../core/digest.ts";
import type { Bytes, Digest } from "../core/digest.ts";
import { against, LARGE, problem, rejectsAs } from "../test/helpers/hostile_server.ts";
import { assertNoLeaks } from "../test/helpers/leaks.ts";
import { longOr } from "../test/helpers/long.ts";
import { listFiles, tempDir } from "../test/helpers/temp.ts";
import { SizedUploads } from "./sized_upload.ts";

const MIB = 1024 * 1024;
/** Several times what a connection holds on its way, so that who reads all of it is noticed. */
const PARTS = longOr(64, 32);
const SIZE = PARTS * MIB;

/** Bytes of which no two are the same; counts what was taken. */
function bigStream(onPart: (n: number) => void = () => {}): ReadableStream<Bytes> {
  let n = 0;
  return new ReadableStream<Bytes>({
    pull(controller) {
      if (n === PARTS) return controller.close();
      onPart(n);
      controller.enqueue(new Uint8Array(MIB).fill(n++));
    },
  }, { highWaterMark: 0 });
}

async function hashOf(stream: ReadableStream<Uint8Array>, gapEvery = Infinity) {
  const hash = createHash("sha256");
  let size = 0;
  let parts = 0;
  for await (const part of stream) {
    hash.update(part);
    size += part.length;
    if (++parts % gapEvery === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { digest: digestFromBytes(hash.digest()) as Digest, size };
}

const BIG = (await hashOf(bigStream())).digest;
const file: ByteSource = { size: SIZE, replayable: true, open: () => bigStream() };

Deno.test("Large bodies go out with their length, in bounded memory: a file, a sized stream, a pipe", async () => {
  await using folder = await tempDir();
  const lengths: (string | null)[] = [];
  const chunked: (string | null)[] = [];
  await against(async (request) => {
    lengths.push(request.headers.get("content-length"));
    chunked.push(request.headers.get("transfer-encoding"));
    return Response.json(await hashOf(request.body!, 16));
  }, async (cache) => {
    const blobs = cache.blobs("default");
    const want = { digest: BIG, size: SIZE };
    assert.deepEqual(await blobs.put(BIG, file), want);
    assert.deepEqual(await blobs.put(undefined, file), want);
    assert.deepEqual(await blobs.put(BIG, streamSource(bigStream(), SIZE)), want);
    assert.deepEqual(await blobs.put(BIG, streamSource(bigStream())), want);
    assert.deepEqual(await blobs.put(undefined, streamSource(bigStream())), want);
  }, { spoolDir: folder.path });
  assert.deepEqual(lengths, Array(5).fill(String(SIZE)));
  assert.deepEqual(chunked, Array(5).fill(null));
});

Deno.test("A server that does not read holds the source back", async () => {
  let taken = 0;
  const release = Promise.withResolvers<void>();
  await against(async (request) => {
    await release.promise;
    return Response.json(await hashOf(request.body!));
  }, async (cache) => {
    const put = cache.blobs("default").put(BIG, streamSource(bigStream(() => taken++), SIZE));
    // Until nothing moves any more: the connection is full.
    for (let before = -1; before !== taken || taken === 0;) {
      before = taken;
      for (let wait = 0; wait < 5; wait++) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(taken < PARTS / 2, `${taken} MiB were taken`);
    release.resolve();
    assert.equal((await put).size, SIZE);
  });
});

Deno.test("An answer before the end of a large body stops it, and is what the caller hears", async () => {
  for (const [status, kind] of [[413, "too_large"], [401, "unauthenticated"]] as const) {
    let taken = 0;
    let cancelled = 0;
    const endless: ByteSource = {
      size: 2 ** 33,
      replayable: true,
      open: () =>
        new ReadableStream({
          pull: (controller) => (taken++, controller.enqueue(LARGE.slice())),
          cancel: () => void cancelled++,
        }, { highWaterMark: 0 }),
    };
    for (let time = 0; time < 10; time++) {
      const tries = await against(
        () => problem(status, kind),
        (cache) => rejectsAs(cache.blobs("default").put(digestOf(LARGE), endless), kind),
      );
      assert.equal(tries, 1);
    }
    assert.equal(cancelled, 10);
    assert.ok(taken < 200, `${taken} parts of 3 MiB were taken`);
  }
});

Deno.test("After an early answer the next large upload is well, and so is one on a used connection", async () => {
  await against(async (request, tries) => {
    if (tries === 2) return problem(413, "too_large");
    return Response.json(await hashOf(request.body!));
  }, async (cache) => {
    const blobs = cache.blobs("default");
    assert.equal((await blobs.put(BIG, file)).size, SIZE);
    await rejectsAs(blobs.put(BIG, file), "too_large");
    for (let time = 0; time < 3; time++) assert.equal((await blobs.put(BIG, file)).size, SIZE);
  });
});

Deno.test("An abort in the middle of a large upload rejects with its reason and leaves nothing", async () => {
  await using folder = await tempDir();
  for (const sized of [true, false]) {
    const reason = new Error("enough");
    const abort = new AbortController();
    let read = 0;
    let broke = false;
    const broken = Promise.withResolvers<void>();
    await against(async (request) => {
      try {
        for await (const part of request.body!) {
          read += part.length;
          if (read > 8 * MIB) abort.abort(reason);
        }
      } catch {
        broke = true;
      }
      broken.resolve();
      return new Response(null);
    }, async (cache) => {
      const source = streamSource(bigStream(), sized ? SIZE : undefined);
      await assert.rejects(
        cache.blobs("default").put(BIG, source, { signal: abort.signal }),
        (thrown) => thrown === reason,
      );
      await broken.promise;
    }, { spoolDir: folder.path });
    assert.ok(broke && read < SIZE, "the server got all of it");
    assert.deepEqual(await listFiles(folder.path), []);
  }
});

Deno.test("A large source that says a wrong size never reaches the server whole", async () => {
  for (const more of [1, -1, MIB, -MIB]) {
    let whole = 0;
    const said = LARGE.length + more;
    await against(async (request) => {
      // A body that breaks off is no body.
      const { size } = await hashOf(request.body!);
      if (size === said) whole++;
      return Response.json({ digest: digestOf(LARGE), size });
    }, async (cache) => {
      const parts = () => ReadableStream.from([LARGE.slice(0, MIB), LARGE.slice(MIB)]);
      const lying = { size: said, replayable: true, open: parts } as ByteSource;
      await rejectsAs(cache.blobs("default").put(digestOf(LARGE), lying), "invalid_argument");
    });
    assert.equal(whole, 0, `${more} more`);
  }
});

Deno.test("A server that reads nothing and says nothing ends in a timeout", async () => {
  const release = Promise.withResolvers<Response>();
  await against(() => release.promise, async (cache) => {
    await rejectsAs(cache.blobs("default").put(BIG, streamSource(bigStream(), SIZE)), "timeout");
    release.resolve(new Response(null));
  }, { idleMs: 15 });
});

Deno.test("A redirect of a large upload is not followed", async () => {
  let elsewhere = 0;
  await against(() => {
    elsewhere++;
    return new Response(null);
  }, async (_, other) => {
    await against(
      () => new Response(null, { status: 307, headers: { location: other } }),
      (cache) => rejectsAs(cache.blobs("default").put(BIG, file), "unsupported"),
    );
  });
  assert.equal(elsewhere, 0);
});

Deno.test("SizedUploads uses a connection again, ends it after an early answer, and closes all at the end", async () => {
  await assertNoLeaks(async () => {
    const sockets = new Set<unknown>();
    let made = 0;
    const server = http.createServer((request, response) => {
      // A server that does not read does not see that the other end has gone.
      request.resume();
      if (request.url === "/early") return void response.writeHead(413).end("no");
      request.on("end", () => response.end("yes"));
    }).on("connection", (socket) => {
      made++;
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const uploads = new SizedUploads();
    const send = async (path: string, reuse = true) => {
      const body = bigStream();
      const response = await uploads.send(`http://127.0.0.1:${port}${path}`, {
        method: "PUT",
        headers: new Headers(),
        body,
        size: SIZE,
        reuse,
        signal: new AbortController().signal,
      });
      return [response.status, await response.text()];
    };
    assert.deepEqual(await send("/"), [200, "yes"]);
    assert.deepEqual(await send("/"), [200, "yes"]);
    assert.deepEqual([made, sockets.size], [1, 1]);
    assert.deepEqual(await send("/", false), [200, "yes"]);
    assert.equal(made, 2);
    assert.deepEqual(await send("/early"), [413, "no"]);
    await until(() => sockets.size === 0);
    assert.deepEqual(await send("/"), [200, "yes"]);
    assert.deepEqual([made, sockets.size], [3, 1]);
    uploads[Symbol.dispose]();
    await until(() => sockets.size === 0);
    await new Promise((resolve) => server.close(resolve));
  });
});

async function until(isSo: () => boolean): Promise<void> {
  for (let look = 0; look < 100 && !isSo(); look++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(isSo(), "it did not come to it");
}
