/** The conformance suite of `Transport`: every one passes it. Each case has a fresh connection. */
import assert from "node:assert/strict";
import type { Bytes } from "../../core/digest.ts";
import { CacheError, isKind } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";
import { seededRandom } from "../helpers/random.ts";

/** Two ends of one connection; disposed after its case, with both ends closed. */
export interface TransportSubject extends Partial<AsyncDisposable> {
  readonly ends: readonly [Transport, Transport];
}

/** Settings of {@linkcode transportSuite}. */
export interface TransportKnobs {
  /** Whether a sender waits for a reader; else he is cut off. */
  readonly holdsBack: boolean;
}

type Case = (a: Transport, b: Transport) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  "hands on frames of every size, whole and in order": async (a, b) => {
    const random = seededRandom("VITTE_TRANSPORT_SEED");
    const most = a.maxFrameBytes;
    const sizes = [1, 2, 17, most - 1, most, 1, ...range(20).map(() => random.integer(1, 40_000))];
    const frames = sizes.map((size) => random.bytes(size));
    a.allowUnread(64 * 1024 * 1024);
    b.allowUnread(64 * 1024 * 1024);
    const [sent, received] = [Promise.all(frames.map((frame) => a.send(frame))), read(b, 26)];
    assert.deepEqual(await received, frames);
    await sent;
  },
  "carries both ways at once": async (a, b) => {
    const ways = [[a, b], [b, a]] as const;
    await Promise.all(ways.map(async ([from, to], way) => {
      const sent = (async () => {
        for (const n of range(100)) await from.send(numbered(way, n));
      })();
      assert.deepEqual(await read(to, 100), range(100).map((n) => numbered(way, n)));
      await sent;
    }));
  },
  "goes on reading where a loop was left": async (a, b) => {
    for (const n of range(6)) await a.send(numbered(0, n));
    for await (const frame of b.frames) {
      assert.deepEqual(frame, numbered(0, 0));
      break;
    }
    assert.deepEqual(await read(b, 5), range(5).map((n) => numbered(0, n + 1)));
  },
  "refuses frames that are too large or empty, and goes on": async (a, b) => {
    await assert.rejects(
      a.send(new Uint8Array(a.maxFrameBytes + 1)),
      (thrown) => isKind(thrown, "too_large"),
    );
    await assert.rejects(a.send(new Uint8Array(0)), RangeError);
    await a.send(numbered(0, 1));
    assert.deepEqual(await read(b, 1), [numbered(0, 1)]);
  },
  "ends reading behind all frames when the other side closes in order": async (a, b) => {
    for (const n of range(3)) await a.send(numbered(0, n));
    await Promise.all([
      a.close("done"),
      readAll(b).then((frames) => {
        assert.deepEqual(frames, range(3).map((n) => numbered(0, n)));
      }),
    ]);
    assert.deepEqual(await readAll(a), []);
    for (const end of [a, b]) {
      await assert.rejects(end.send(numbered(0, 9)), (thrown) => isKind(thrown, "unavailable"));
    }
  },
  "tells the other side's reader the kind of a failure, behind all frames": async (a, b) => {
    await a.send(numbered(0, 1));
    const secret = new CacheError("quota_exceeded", "Cannot go on: /secret/folder is full");
    const closed = a.close(secret);
    assert.deepEqual(await read(b, 1), [numbered(0, 1)]);
    await assert.rejects(readAll(b), (thrown) => {
      assert.ok(!(thrown as Error).message.includes("secret/"));
      return isKind(thrown, "quota_exceeded");
    });
    await closed;
    await assert.rejects(readAll(a), (thrown) => thrown === secret);
    await assert.rejects(a.send(numbered(0, 2)), (thrown) => thrown === secret);
    await assert.rejects(b.send(numbered(0, 2)), (thrown) => isKind(thrown, "quota_exceeded"));
  },
  "wakes a reader that waits, on either side": async (a, b) => {
    const reading = [readAll(a), readAll(b)];
    await a.close("done");
    assert.deepEqual(await Promise.all(reading), [[], []]);
  },
  "can be closed twice, from both sides; the first reason counts": async (a, b) => {
    const error = new CacheError("timeout", "Cannot go on: too late");
    await Promise.all([a.close(error), a.close("done"), b.close("done")]);
    await a.close("done");
    await assert.rejects(a.send(numbered(0, 1)), (thrown) => thrown === error);
  },
  "sends nothing when the signal is aborted beforehand": async (a, b) => {
    const reason = new Error("given up");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(a.send(numbered(0, 1), { signal }), (thrown) => thrown === reason);
    await a.send(numbered(0, 2));
    assert.deepEqual(await read(b, 1), [numbered(0, 2)]);
  },
};

const HELD_BACK: Readonly<Record<string, Case>> = {
  "holds a sender back while much lies unread, and loses nothing": async (a, b) => {
    b.allowUnread(100_000);
    let sent = 0;
    const sending = (async () => {
      for (const n of range(200)) {
        await a.send(new Uint8Array(10_000).fill(n));
        sent++;
      }
    })();
    await settled();
    assert.ok(sent < 100, `${sent} of 200 were sent before one was read`);
    for (const n of range(200)) assert.equal((await read(b, 1))[0]![0], n);
    await sending;
  },
  "takes back a frame that waits, and keeps the order of the others": async (a, b) => {
    b.allowUnread(10);
    const frames = range(100).map((n) => new Uint8Array(20_000).fill(n));
    const given = new AbortController();
    const sent = frames.map((frame, n) =>
      a.send(frame, n % 2 ? { signal: given.signal } : {}).then(() => n, () => -1)
    );
    await settled();
    given.abort(new Error("given up"));
    await settled();
    const received: number[] = [];
    const reading = (async () => {
      for await (const frame of b.frames) received.push(frame[0]!);
    })();
    const kept = (await Promise.all(sent)).filter((n) => n >= 0);
    assert.ok(kept.length >= 50 && kept.length < 70, `${kept.length} were sent`);
    await a.close("done");
    await reading;
    assert.deepEqual(received, kept);
  },
  "ends senders that wait when either side closes": async (a, b) => {
    b.allowUnread(10);
    const sending = Promise.allSettled(range(20).map(() => a.send(new Uint8Array(60_000))));
    await settled();
    await b.close("done");
    for (const result of (await sending).slice(10)) {
      assert.ok(result.status === "rejected" && result.reason instanceof CacheError);
    }
  },
};

const CUT_OFF: Readonly<Record<string, Case>> = {
  "cuts a sender off who sends more than may lie unread": async (a, b) => {
    b.allowUnread(100_000);
    const sending = (async () => {
      while (true) await a.send(new Uint8Array(10_000));
    })();
    // In the middle of sending he may see the connection break before he is told why.
    const told = (thrown: unknown) => isKind(thrown, "too_large") || isKind(thrown, "unavailable");
    await assert.rejects(sending, told);
    await assert.rejects(readAll(a), told);
    await assert.rejects(readAll(b), (thrown) => isKind(thrown, "too_large"));
  },
};

/** Runs every case against connections that `open` makes. */
export function transportSuite(
  name: string,
  open: () => Promise<TransportSubject>,
  { holdsBack }: TransportKnobs,
): void {
  Deno.test(`a ${name}`, async (t) => {
    for (const [what, run] of Object.entries({ ...CASES, ...(holdsBack ? HELD_BACK : CUT_OFF) })) {
      await t.step(what, async () => {
        const subject = await open();
        const [a, b] = subject.ends;
        try {
          await run(a, b);
        } finally {
          await Promise.all([a.close("done"), b.close("done")]);
          await subject[Symbol.asyncDispose]?.();
        }
      });
    }
  });
}

/** The next frames. */
export async function read(from: Transport, count: number): Promise<Bytes[]> {
  const frames: Bytes[] = [];
  const iterator = from.frames[Symbol.asyncIterator]();
  while (frames.length < count) {
    const { done, value } = await iterator.next();
    if (done) break;
    frames.push(value);
  }
  return frames;
}

/** All frames to the end. */
export async function readAll(from: Transport): Promise<Bytes[]> {
  const frames: Bytes[] = [];
  for await (const frame of from.frames) frames.push(frame);
  return frames;
}

/** Some turns of the event loop: what can go on without anybody's help has gone on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

function range(count: number): number[] {
  return [...Array(count).keys()];
}

function numbered(way: number, n: number): Bytes {
  return new Uint8Array([way, n, 7]);
}
