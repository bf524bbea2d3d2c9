import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { digestHex, digestOf } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { HEADERS } from "../../protocol/url_space.ts";
import {
  action,
  BODY,
  close,
  converse,
  get,
  hit,
  miss,
  OURS,
  put,
} from "../../test/helpers/go_session.ts";
import { against, problem } from "../../test/helpers/hostile_server.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { LocalOutputs } from "./local_outputs.ts";
import { runSession } from "./session.ts";

Deno.test("without a server: misses, puts, hits, and a file with the bytes for each", async () => {
  await using dir = await tempDir();
  const empty = new Uint8Array(0);
  const large = new Uint8Array(3_000_000).map((_, n) => n * 7);
  const { answers } = await converse(dir, undefined, [
    get(1, 1),
    put(2, 1),
    get(3, 1),
    put(4, 2, empty),
    get(5, 2),
    put(6, 3, large),
    get(7, 3),
    close(8),
  ]);
  assert.deepEqual(answers.get(1), { ID: 1, Miss: true });
  for (const [id, body] of [[3, BODY], [5, empty], [7, large]] as const) {
    const answer = answers.get(id)!;
    assert.equal(answer["Size"], body.length);
    assert.equal(answer["OutputID"], Uint8Array.fromHex(digestHex(digestOf(body))).toBase64());
    assert.ok(Math.abs(Date.parse(answer["Time"] as string) - Date.now()) < 60_000);
    const path = answer["DiskPath"] as string;
    assert.equal(answers.get(id - 1)!["DiskPath"], path);
    assert.deepEqual(Deno.readFileSync(path), body);
  }
  assert.deepEqual(answers.get(8), { ID: 8 });
});

Deno.test("an output of the server comes in one request and stays here", async () => {
  await using dir = await tempDir();
  let created = "";
  const asked = await against((request) => {
    assert.equal(new URL(request.url).pathname, `/go/action/${action(1)}`);
    assert.equal(request.headers.get("want-object"), "1");
    const answer = hit(BODY);
    answer.headers.set("vitte-created", created);
    return answer;
  }, async (cache) => {
    created = "1700000000000";
    const one = await converse(dir, cache, [get(1, 1), get(2, 1), close(3)]);
    const { DiskPath, Time, ID: _, ...rest } = one.answers.get(1)!;
    assert.equal(Time, "2023-11-14T22:13:20.000Z");
    assert.deepEqual(Deno.readFileSync(DiskPath as string), BODY);
    assert.equal(one.answers.get(2)!["DiskPath"], DiskPath);
    const two = await converse(dir, cache, [get(1, 1), close(3)]);
    assert.deepEqual(two.answers.get(1), { ID: 1, ...rest, Time, DiskPath });
  });
  assert.equal(asked, 1);
});

Deno.test("what the server does not have is asked once, and put behind the answer", async () => {
  await using dir = await tempDir();
  const puts: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked = await against(async (request) => {
    if (request.method === "GET") return miss();
    puts.push(new URL(request.url).pathname);
    assert.deepEqual(new Uint8Array(await request.arrayBuffer()), BODY);
    await promise;
    return new Response(null, { status: 204, headers: OURS });
  }, async (cache) => {
    const questions = [get(1, 1), get(2, 1), put(3, 1), get(4, 1)];
    setTimeout(resolve, 20);
    const told = await converse(dir, cache, [...questions, close(5)]);
    assert.equal(told.answers.get(2)!["Miss"], true);
    assert.ok(told.answers.get(4)!["DiskPath"]);
    assert.equal(told.uploads?.stored, 1, "close waited for it");
  });
  assert.equal(asked, 2);
  assert.deepEqual(puts, [`/go/${action(1)}/${digestHex(digestOf(BODY))}`]);
});

Deno.test("no question waits for another: what is here is answered first", async () => {
  await using dir = await tempDir();
  await converse(dir, undefined, [put(1, 2), close(2)]);
  const { promise, resolve } = Promise.withResolvers<void>();
  await against(async () => {
    await promise;
    return hit(BODY);
  }, async (cache) => {
    setTimeout(resolve, 20);
    const questions = [get(1, 1), get(2, 2), put(3, 3), close(4)];
    const { order } = await converse(dir, cache, questions, { atOnce: true, readOnly: true });
    assert.deepEqual(order, [2, 3, 1, 4]);
  });
});

Deno.test("a lying server is a miss each time, and nothing of it is kept", async (t) => {
  const lies: Record<string, () => Response> = {
    "other bytes of the same size": () => hit("compilad"),
    "fewer bytes": () => hit("comp", undefined, 4),
    "more bytes": () => hit("compiled, and more", undefined, 18),
    "no output named": () => hit(BODY, ""),
    "a path as output": () => hit(BODY, "../../etc/passwd"),
    "a huge size": () =>
      new Response(null, {
        headers: { ...OURS, "go-output-id": "a".repeat(64), "content-length": "0" },
      }),
    "a redirect": () =>
      new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
    "a page": () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    "a status of nobody": () => new Response("?", { status: 299 }),
    "a server error": () => problem(500, "internal"),
    "a refusal": () => problem(401, "unauthenticated"),
  };
  for (const [name, lie] of Object.entries(lies)) {
    await t.step(name, async () => {
      await using dir = await tempDir();
      await against(lie, async (cache) => {
        const questions = [get(1, 1), put(2, 1), close(3)];
        const told = await converse(dir, cache, questions, { readOnly: true });
        assert.deepEqual(told.answers.get(1), { ID: 1, Miss: true });
        assert.ok(told.answers.get(2)!["DiskPath"]);
        assert.deepEqual([...Deno.readDirSync(dir.join("go/new"))], []);
        assert.equal([...Deno.readDirSync(dir.join("go/actions"))].length, 1, "what was put");
      });
    });
  }
});

Deno.test("a server that says nothing costs one wait, whatever is asked", async () => {
  await using dir = await tempDir();
  const { promise, resolve } = Promise.withResolvers<Response>();
  await against(() => promise, async (cache) => {
    const began = performance.now();
    const questions = Array.from({ length: 50 }, (_, n) => get(n + 1, n));
    const last = [put(99, 1), close(100)];
    const waitMs = 150;
    const told = await converse(dir, cache, [...questions, ...last], { waitMs });
    const ms = performance.now() - began;
    assert.ok(ms < 1500, `${ms} ms`);
    assert.equal(told.said.length, 1, told.said.join("\n"));
    assert.equal([...told.answers.values()].filter((answer) => answer["Miss"]).length, 50);
    assert.equal(told.uploads?.dropped, 1);
    resolve(miss());
  });
});

Deno.test("a body that stops in the middle is given up, and so is one that drips", async (t) => {
  // A clock by which a second is over in a millisecond; who sleeps is woken as ever.
  const fast = { ...systemClock, monotonic: () => performance.now() * 1000 };
  const cases = [
    { name: "stops", everyMs: 60_000, waitMs: 50, clock: systemClock, said: /nothing moved/ },
    { name: "drips", everyMs: 5, waitMs: 60_000, clock: fast, said: /too slowly/ },
  ];
  for (const { name, everyMs, said, ...options } of cases) {
    await t.step(name, async () => {
      await using dir = await tempDir();
      const stop = new AbortController();
      await against(
        () => hit(dripping(everyMs, stop.signal), "a".repeat(64), 1e6),
        async (cache) => {
          const told = await converse(dir, cache, [get(1, 1), close(2)], options);
          assert.deepEqual(told.answers.get(1), { ID: 1, Miss: true });
          assert.match(told.said.join(), said);
          stop.abort();
        },
      );
    });
  }
});

/** One byte at a time. */
function dripping(everyMs: number, signal: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      await systemClock.sleep(everyMs, signal).catch(() => {}); // looked at below
      if (signal.aborted) controller.close();
      else controller.enqueue(new Uint8Array(1));
    },
  }, { highWaterMark: 0 });
}

Deno.test("a put that the server refuses is the server's matter alone", async (t) => {
  const refusals: Record<string, () => Response> = {
    "full": () => problem(507, "quota_exceeded"),
    "read only": () => problem(403, "permission_denied"),
    "too large": () => problem(413, "too_large"),
    "dropped": () =>
      new Response(null, { status: 204, headers: { ...OURS, [HEADERS.missReason]: "internal" } }),
    "broken": () => new Response(null, { status: 500 }),
  };
  for (const [name, refuse] of Object.entries(refusals)) {
    await t.step(name, async () => {
      await using dir = await tempDir();
      await against((request) => request.method === "GET" ? miss() : refuse(), async (cache) => {
        const told = await converse(dir, cache, [put(1, 1), put(2, 2), close(3)]);
        for (const id of [1, 2]) assert.ok(told.answers.get(id)!["DiskPath"], name);
        assert.deepEqual(told.answers.get(3), { ID: 3 });
        assert.deepEqual([told.uploads?.stored, told.uploads?.dropped], [0, 2]);
      });
    });
  }
});

Deno.test("an interrupted build does not wait for its uploads", async () => {
  await using dir = await tempDir();
  const { promise, resolve } = Promise.withResolvers<Response>();
  await against(() => promise, async (cache) => {
    const interrupted = AbortSignal.abort();
    const began = performance.now();
    const told = await converse(dir, cache, [put(1, 1), close(2)], { interrupted, waitMs: 60_000 });
    assert.equal(told.uploads?.stored, 0);
    assert.ok(performance.now() - began < 5_000, "it waited");
    resolve(miss());
  });
});

Deno.test("a put that no disk takes is told honestly, and the next question is understood", async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  const writer = writable.getWriter();
  const lines: string[] = [];
  using local = new LocalOutputs(undefined, {
    clock: systemClock,
    makeSpare: () => {
      throw new CacheError("quota_exceeded", "Cannot write: the disk is full");
    },
    onTrouble() {},
  });
  const session = runSession({
    requests: readable,
    write: (text) => Promise.resolve(void lines.push(...text.trim().split("\n"))),
    local,
    remote: undefined,
    uploads: undefined,
    clock: systemClock,
    interrupted: new AbortController().signal,
    tidy: () => Promise.resolve(),
  });
  const { body, ...question } = put(1, 1, new Uint8Array(100_000));
  const text =
    `${JSON.stringify({ ...question, BodySize: body.length })}\n\n"${body.toBase64()}"\n` +
    `${JSON.stringify(get(2, 1))}\n\n${JSON.stringify(close(3))}\n\n`;
  await writer.write(new TextEncoder().encode(text));
  await session;
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [
    { ID: 1, Err: "Cannot write: the disk is full" },
    { ID: 2, Miss: true },
    { ID: 3 },
  ]);
});
