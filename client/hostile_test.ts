import assert from "node:assert/strict";
import type { ByteSource } from "../core/bytes.ts";
import { bytesSource, collect, streamOf, streamSource } from "../core/bytes.ts";
import { ManualClock, systemClock } from "../core/clock.ts";
import { digestOf } from "../core/digest.ts";
import { CacheError, isKind } from "../core/errors.ts";
import type { ErrorKind } from "../core/errors.ts";
import {
  against,
  BYTES,
  DIGEST,
  endless,
  LARGE,
  noPause,
  problem,
  rejectsAs,
  TOKEN,
} from "../test/helpers/hostile_server.ts";
import { connectCache } from "./connect.ts";
import type { RemoteCache } from "./remote_cache.ts";

Deno.test("A hang before the head, within the body and during an upload ends with a timeout", async () => {
  const never = () => new Promise<never>(() => {});
  const quick = { idleMs: 15, clock: systemClock };
  for (const method of ["get", "put"] as const) {
    const release = Promise.withResolvers<Response>();
    await against(() => release.promise, async (cache) => {
      const blobs = cache.blobs("default");
      const once = streamSource(streamOf(LARGE), LARGE.length);
      const put = () => blobs.put(digestOf(LARGE), once);
      await rejectsAs(method === "get" ? blobs.get(DIGEST) : put(), "timeout");
      release.resolve(new Response(null));
    }, { ...quick, clock: noPause() });
  }
  const stuck = () =>
    new Response(new ReadableStream({ start: (c) => c.enqueue(LARGE.slice(0, 10)), pull: never }), {
      headers: { "content-length": String(LARGE.length) },
    });
  await against(stuck, async (cache) => {
    const body = await cache.blobs("default").get(digestOf(LARGE));
    await rejectsAs(collect(body!.stream(), 1e9), "timeout");
  }, quick);
});

Deno.test("An answer without one bit for each digest is refused", async () => {
  for (const size of [0, 1, 3, 1_000_000]) {
    await against(() => new Response(new Uint8Array(size)), async (cache) => {
      const digests = Array.from({ length: 9 }, (_, n) => digestOf(new Uint8Array([n])));
      await rejectsAs(cache.blobs("default").missing(digests), "corrupt");
    });
  }
});

Deno.test("A reader that takes its time is no idle connection", async () => {
  const clock = new ManualClock();
  const pass = async () => {
    clock.advance(20);
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  await against(() => new Response(LARGE), async (cache) => {
    const body = await cache.blobs("default").get(digestOf(LARGE));
    await pass();
    const reader = body!.stream().getReader();
    await reader.read();
    await pass();
    assert.equal((await reader.read()).done, false);
    await reader.cancel();
  }, { idleMs: 10, clock });
});

Deno.test("An abort rejects with its reason, before, while waiting, and within a body", async () => {
  const reason = new Error("enough");
  const sameReason = (promise: Promise<unknown>) =>
    assert.rejects(promise, (thrown) => thrown === reason);
  const tries = await against(
    () => new Response(BYTES),
    (cache) =>
      sameReason(cache.blobs("default").get(DIGEST, { signal: AbortSignal.abort(reason) })),
  );
  assert.equal(tries, 0);
  const release = Promise.withResolvers<Response>();
  const waiting = new AbortController();
  await against(() => {
    waiting.abort(reason);
    return release.promise;
  }, async (cache) => {
    await sameReason(cache.blobs("default").get(DIGEST, { signal: waiting.signal }));
    release.resolve(new Response(null));
  });
  const within = new AbortController();
  await against(() =>
    new Response(endless(LARGE.slice(0, 65536)), {
      headers: { "content-length": String(10 * LARGE.length) },
    }), async (cache) => {
    const body = await cache.blobs("default").get(DIGEST, { signal: within.signal });
    const reader = body!.stream().getReader();
    await reader.read();
    within.abort(reason);
    await sameReason((async () => {
      while (!(await reader.read()).done);
    })());
  });
});

Deno.test("A redirect is never followed, and the token goes nowhere else", async () => {
  let elsewhere = 0;
  await against(() => {
    elsewhere++;
    return new Response(BYTES);
  }, async (_, other) => {
    for (const status of [301, 302, 303, 307, 308]) {
      await against(
        () => new Response(null, { status, headers: { location: `${other}/x?secret=1` } }),
        async (cache) => {
          await rejectsAs(cache.blobs("default").get(DIGEST), "unsupported");
          await rejectsAs(cache.blobs("default").put(DIGEST, bytesSource(BYTES)), "unsupported");
        },
      );
    }
  });
  assert.equal(elsewhere, 0);
});

Deno.test("Problems become errors of the same kind with their hint, one line, without our token", async () => {
  const table: [number, ErrorKind][] = [
    [400, "invalid_argument"],
    [401, "unauthenticated"],
    [403, "permission_denied"],
    [413, "too_large"],
    [507, "quota_exceeded"],
    [501, "unsupported"],
    [500, "internal"],
  ];
  for (const [status, kind] of table) {
    await against(() => problem(status, kind, { hint: "try harder" }), async (cache) => {
      await rejectsAs(cache.blobs("default").get(DIGEST), kind);
      await assert.rejects(
        cache.blobs("default").put(DIGEST, bytesSource(BYTES)),
        (thrown) => isKind(thrown, kind) && thrown.hint === "try harder",
      );
    });
  }
  const nasty = `\u001b[2J${TOKEN} and ${"Q".repeat(43)}\nline two\u202e`;
  await against(
    () => problem(403, "permission_denied", { detail: nasty, hint: nasty }),
    async (cache) => {
      await rejectsAs(cache.blobs("default").get(DIGEST), "permission_denied");
      await assert.rejects(cache.admin.whoami(), (thrown) => {
        assert.ok(thrown instanceof CacheError);
        // deno-lint-ignore no-control-regex
        assert.doesNotMatch(thrown.message + thrown.hint, /[\x00-\x1f\u202e]/);
        return thrown.message.includes("***");
      });
    },
  );
});

Deno.test("A 404 is a miss from us only; from a stranger it says that the address is wrong", async () => {
  for (const kind of ["not_found", "corrupt"]) {
    await against(() => problem(404, kind), async (cache) => {
      assert.equal(await cache.blobs("default").get(DIGEST), undefined);
      assert.deepEqual(await cache.blobs("default").stat([DIGEST]), [undefined]);
    });
  }
  await against(
    () => new Response("404 page", { status: 404 }),
    (cache) => rejectsAs(cache.blobs("default").get(DIGEST), "unsupported"),
  );
});

Deno.test("JSON that is none, endless, or of another shape is corrupt, not a crash", async () => {
  for (
    const text of ["", "{", "null", "[]", '{"digest":"x","size":1}', `{"missing":["${DIGEST}x"]}`]
  ) {
    await against(() => new Response(text), async (cache) => {
      await rejectsAs(cache.totals(), "corrupt");
      await rejectsAs(cache.blobs("default").put(DIGEST, bytesSource(BYTES)), "corrupt");
      await rejectsAs(
        cache.find({ namespace: "default", scopes: ["main"], protocol: "kv", key: "k" }),
        "corrupt",
      );
    });
  }
  const spaces = new TextEncoder().encode(" ".repeat(65536));
  await against(
    () => new Response(endless(spaces)),
    (cache) => rejectsAs(cache.totals(), "corrupt"),
  );
});

Deno.test("RemoteBlobStore.put() does not believe a server that stored something else", async () => {
  const lie = () => Response.json({ digest: digestOf(LARGE), size: LARGE.length });
  await against(async (request) => {
    await request.body?.cancel();
    return lie();
  }, (cache) => rejectsAs(cache.blobs("default").put(DIGEST, bytesSource(BYTES)), "corrupt"));
});

Deno.test("put() cancels its source when the server is done early, and believes only the right digest", async () => {
  let cancelled = 0;
  const endlessly: ByteSource = {
    size: 2 ** 33,
    replayable: false,
    open: () =>
      new ReadableStream({
        pull: (controller) => controller.enqueue(LARGE.slice(0, 65536)),
        cancel: () => void cancelled++,
      }, { highWaterMark: 0 }),
  };
  await against(() => Response.json({ digest: DIGEST, size: 2 ** 33 }), async (cache) => {
    assert.equal((await cache.blobs("default").put(DIGEST, endlessly)).digest, DIGEST);
    assert.equal(cancelled, 1);
    await rejectsAs(cache.blobs("default").put(digestOf(LARGE), endlessly), "corrupt");
    assert.equal(cancelled, 2);
  });
});

Deno.test("Temporary errors are tried three times and then exhausted, if the source can be read again", async () => {
  const busy = async (request: Request) => {
    await request.body?.cancel();
    return problem(503, "unavailable");
  };
  const exhausted = (thrown: unknown) =>
    isKind(thrown, "unavailable") && thrown.retry === "exhausted";
  assert.equal(
    await against(busy, (cache) => assert.rejects(cache.blobs("default").get(DIGEST), exhausted)),
    3,
  );
  const put = (source: ByteSource) => (cache: RemoteCache) =>
    assert.rejects(cache.blobs("default").put(DIGEST, source));
  assert.equal(await against(busy, put(bytesSource(BYTES))), 3);
  // What is small is kept, and so is what tells no size; a large one that can be sent as it is, not.
  assert.equal(await against(busy, put(streamSource(streamOf(BYTES), BYTES.length))), 3);
  const large = (source: ByteSource) => (cache: RemoteCache) =>
    assert.rejects(cache.blobs("default").put(digestOf(LARGE), source));
  assert.equal(await against(busy, large(streamSource(streamOf(LARGE), LARGE.length))), 1);
  assert.equal(await against(busy, large(streamSource(streamOf(LARGE)))), 3);
  const again: ByteSource = { size: LARGE.length, replayable: true, open: () => streamOf(LARGE) };
  assert.equal(await against(busy, large(again)), 3);
  // What is not the same when done twice is done once.
  assert.equal(await against(busy, (cache) => assert.rejects(cache.admin.rotate("ci"))), 1);
  assert.equal(
    await against((_, tries) => tries < 3 ? busy(_) : new Response(BYTES), async (cache) => {
      assert.ok(await cache.blobs("default").get(DIGEST));
    }),
    3,
  );
  assert.equal(
    await against(
      () => problem(403, "permission_denied"),
      (cache) => rejectsAs(cache.blobs("default").get(DIGEST), "permission_denied"),
    ),
    1,
  );
});

Deno.test("A server that is not there is unavailable", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await using cache = connectCache({
    url: `http://127.0.0.1:${port}`,
    token: TOKEN,
    clock: noPause(),
  });
  await rejectsAs(cache.totals(), "unavailable");
});

Deno.test("put() reads its source to the end or cancels it, and says what the source itself said", async () => {
  let cancelled = 0;
  const source = (size: number | undefined, fail?: Error): ByteSource => ({
    size,
    replayable: false,
    open: () =>
      new ReadableStream({
        pull(controller) {
          if (fail) throw fail;
          controller.enqueue(new Uint8Array(65536));
        },
        cancel: () => void cancelled++,
      }, { highWaterMark: 0 }),
  });
  await against(
    () => problem(413, "too_large"),
    (cache) => rejectsAs(cache.blobs("default").put(DIGEST, source(2 ** 33)), "too_large"),
  );
  assert.equal(cancelled, 1);
  const own = new CacheError("quota_exceeded", "Cannot read: my own trouble");
  const drain = async (request: Request) => {
    for await (const _ of request.body ?? []);
    return new Response(null);
  };
  for (const size of [undefined, 2 ** 33]) {
    await against(
      drain,
      (cache) => rejectsAs(cache.blobs("default").put(DIGEST, source(size, own)), "quota_exceeded"),
    );
  }
  // What is known to be wrong is not sent.
  for (const other of [bytesSource(LARGE), streamSource(streamOf(LARGE))]) {
    const put = (cache: RemoteCache) => cache.blobs("default").put(DIGEST, other);
    assert.equal(await against(drain, (cache) => rejectsAs(put(cache), "invalid_argument")), 0);
  }
  for (const bytes of [BYTES, LARGE]) {
    for (const more of [1, -1]) {
      const lying = () => streamSource(streamOf(bytes), bytes.length + more);
      await against(drain, async (cache) => {
        await rejectsAs(cache.blobs("default").put(DIGEST, lying()), "invalid_argument");
        await rejectsAs(cache.blobs("default").put(undefined, lying()), "invalid_argument");
      });
    }
  }
});
