import assert from "node:assert/strict";
import { bodyBytes } from "../core/bytes.ts";
import { digestOf } from "../core/digest.ts";
import { HEADERS } from "../protocol/url_space.ts";
import {
  against,
  BYTES,
  DIGEST,
  endless,
  LARGE,
  rejectsAs,
} from "../test/helpers/hostile_server.ts";
import { connectCache } from "./connect.ts";
import type { RemoteCache } from "./remote_cache.ts";

const OURS = { [HEADERS.requestId]: "1" };

Deno.test("RemoteBlobStore.get() gives out small and large bodies that are right", async () => {
  for (const bytes of [new Uint8Array(0), BYTES, LARGE]) {
    await against(() => new Response(bytes, { headers: OURS }), async (cache) => {
      const body = await cache.blobs("default").get(digestOf(bytes));
      assert.equal(body?.total, bytes.length);
      assert.equal(body?.bytes === undefined, bytes === LARGE);
      assert.deepEqual(await bodyBytes(body!, 1e9), bytes);
    });
  }
});

Deno.test("RemoteBlobStore.get() calls wrong bytes corrupt, before anybody has the last of them", async () => {
  const wrong = LARGE.slice();
  wrong[wrong.length - 1] = 1;
  await against(() => new Response(wrong), async (cache) => {
    const body = await cache.blobs("default").get(digestOf(LARGE));
    let received = 0;
    await rejectsAs(
      (async () => {
        for await (const part of body!.stream()) received += part.length;
      })(),
      "corrupt",
    );
    assert.ok(received < LARGE.length);
  });
  for (const bytes of [BYTES.slice().reverse(), new Uint8Array(0), new Uint8Array(1000)]) {
    await against(
      () => new Response(bytes),
      (cache) => rejectsAs(cache.blobs("default").get(DIGEST), "corrupt"),
    );
  }
});

Deno.test("RemoteBlobStore.get() refuses a body that does not say how long it is, endless ones too", async () => {
  await against(
    () => new Response(endless(new Uint8Array(1000))),
    (cache) => rejectsAs(cache.blobs("default").get(DIGEST), "corrupt"),
  );
});

Deno.test("RemoteBlobStore.get() breaks on a body that is cut short", async () => {
  const cut = () =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(BYTES.slice(0, 5));
          controller.error(new Error("cut"));
        },
      }),
      { headers: { "content-length": String(BYTES.length) } },
    );
  // The connection broke: that is worth another try, and no proof of bad bytes.
  const tries = await against(
    cut,
    (cache) => rejectsAs(cache.blobs("default").get(DIGEST), "unavailable"),
  );
  assert.equal(tries, 3);
  // Where the transport hides the cut, the length shows it.
  const short: typeof fetch = () =>
    Promise.resolve(new Response(BYTES.slice(0, 5), { headers: { "content-length": "12" } }));
  const cache = connectCache({ url: "http://127.0.0.1:1", fetch: short });
  await rejectsAs(cache.blobs("default").get(DIGEST), "corrupt");
  const long: typeof fetch = () =>
    Promise.resolve(
      new Response(endless(new Uint8Array(9)), { headers: { "content-length": "12" } }),
    );
  const other = connectCache({ url: "http://127.0.0.1:1", fetch: long });
  await rejectsAs(other.blobs("default").get(DIGEST), "corrupt");
});

Deno.test("RemoteBlobStore.get() checks that a range is the one it asked for", async () => {
  const ranged = (status: number, range: string, bytes: Uint8Array<ArrayBuffer>) => () =>
    new Response(bytes, { status, headers: { "content-range": range } });
  const get = (cache: RemoteCache) =>
    cache.blobs("default").get(DIGEST, { range: { start: 2, end: 5 } });
  await against(ranged(206, "bytes 2-4/12", BYTES.slice(2, 5)), async (cache) => {
    const body = await get(cache);
    assert.deepEqual([body?.size, body?.total], [3, 12]);
    assert.deepEqual(body?.bytes, BYTES.slice(2, 5));
  });
  for (
    const lie of [
      ranged(200, "bytes 2-4/12", BYTES.slice(2, 5)),
      ranged(206, "bytes 3-5/12", BYTES.slice(3, 6)),
      ranged(206, "bytes 2-5/12", BYTES.slice(2, 6)),
      ranged(206, "bytes 2-4/12", BYTES.slice(2, 4)),
      ranged(206, "bytes */12", BYTES.slice(2, 5)),
    ]
  ) await against(lie, (cache) => rejectsAs(get(cache), "corrupt"));
});
