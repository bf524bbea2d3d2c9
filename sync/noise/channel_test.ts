import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import { MAX_PLAIN_BYTES, NoiseReceiver, NoiseSender } from "./channel.ts";
import type { RekeyOptions } from "./channel.ts";

const KEY = new Uint8Array(32).fill(7);
const FEW = { messages: 3, ms: 1000 };

function sender(rekey: RekeyOptions = {}, clock = new ManualClock()): NoiseSender {
  return new NoiseSender(KEY, { clock, ...rekey });
}

async function framesOf(from: NoiseSender, ...plains: Bytes[]): Promise<Bytes[]> {
  return await Promise.all(plains.flatMap((plain) => from.seal(plain)));
}

function one(byte: number): Bytes {
  return new Uint8Array([byte]);
}

Deno.test("what is sent both ways arrives, whatever the sizes, pauses, and renewals of keys", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          way: fc.nat(1),
          size: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(MAX_PLAIN_BYTES)),
          pause: fc.constantFrom(0, 0, 0, 400, 1000),
          wait: fc.boolean(),
        }),
        { maxLength: 40 },
      ),
      fc.integer({ min: 1, max: 5 }),
      async (messages, limit) => {
        const clock = new ManualClock();
        const ways = [1, 2].map((fill) => {
          const key = new Uint8Array(32).fill(fill);
          const rekey = { messages: limit, ms: 1000 };
          const sent = new NoiseSender(key, { clock, ...rekey });
          return { sent, received: new NoiseReceiver(key, rekey), wire: [] as Promise<Bytes>[] };
        });
        const want: Bytes[][] = [[], []];
        for (const [index, { way, size, pause, wait }] of messages.entries()) {
          clock.advance(pause);
          const plain = new Uint8Array(size).fill(index);
          want[way]!.push(plain);
          const frames = ways[way]!.sent.seal(plain);
          // Two frames where the key is renewed, opened in the same turn as all others.
          ways[way]!.wire.push(...frames);
          if (wait) await frames.at(-1);
        }
        for (const [way, { received, wire }] of ways.entries()) {
          const frames = await Promise.all(wire);
          const opened = await Promise.all(frames.map((frame) => received.open(frame)));
          assert.deepEqual(opened.filter((plain) => plain.length > 0), want[way]);
        }
      },
    ),
    { numRuns: 60 },
  ));

Deno.test("a key is renewed after so many messages, and after so much time with the next message", async () => {
  const clock = new ManualClock();
  const from = sender(FEW, clock);
  const counts = async (plains: number) => {
    const sealed = Array.from({ length: plains }, () => from.seal(one(1)));
    await Promise.all(sealed.flat());
    return sealed.map((frames) => frames.length).join("");
  };
  assert.equal(await counts(8), "11121121");
  clock.advance(999);
  assert.equal(await counts(1), "1");
  clock.advance(1);
  assert.equal(await counts(4), "2112");
});

Deno.test("open() refuses the message above the number that one key may have", async () => {
  const from = sender({ messages: 4 });
  const frames = await framesOf(from, one(1), one(2), one(3), one(4));
  const to = new NoiseReceiver(KEY, { messages: 3 });
  for (const frame of frames.slice(0, 3)) await to.open(frame);
  await corrupt(to.open(frames[3]!));
});

Deno.test("open() refuses what is left out, sent twice, swapped, of the other way, or damaged, and all behind it", async () => {
  const plains = [one(1), one(2), one(3), one(4), one(5)];
  const good = await framesOf(sender(FEW), ...plains);
  assert.equal(good.length, 6, "one of them renews the key");
  const foreign = await framesOf(
    new NoiseSender(new Uint8Array(32), { clock: new ManualClock() }),
    ...plains,
  );
  for (let at = 0; at < good.length; at++) {
    const frame = good[at]!;
    const damaged = frame.slice();
    damaged[frame.length - 1]! ^= 1;
    const forms: [string, Bytes[]][] = [
      ["sent twice", good.toSpliced(at, 0, frame)],
      ["damaged", good.with(at, damaged)],
      ["cut", good.with(at, frame.slice(0, -1))],
      ["of the other way", good.with(at, foreign[Math.min(at, 4)]!)],
      ["emptied", good.with(at, new Uint8Array(0))],
      ["too long", good.with(at, new Uint8Array(65_536))],
    ];
    if (at + 1 < good.length) {
      forms.push(["left out", good.toSpliced(at, 1)]);
      forms.push(["swapped", good.with(at, good[at + 1]!).with(at + 1, frame)]);
    }
    for (const [what, frames] of forms) {
      const to = new NoiseReceiver(KEY, FEW);
      const opened = await Promise.allSettled(frames.map((each) => to.open(each)));
      const failed = opened.findIndex(({ status }) => status === "rejected");
      assert.ok(failed === at || (what === "sent twice" && failed === at + 1), `${what} at ${at}`);
      for (const { status } of opened.slice(failed)) assert.equal(status, "rejected", what);
    }
  }
});

Deno.test("a message that is cut at any length is refused, also at the length that renews a key", async () => {
  const [frame] = await framesOf(sender(), new Uint8Array(30));
  for (let length = 0; length < frame!.length; length++) {
    const to = new NoiseReceiver(KEY);
    await corrupt(to.open(frame!.slice(0, length)));
    await corrupt(to.open(frame!));
  }
});

Deno.test("results come in the order of the calls, however large the one in front is", async () => {
  const from = sender();
  const order: number[] = [];
  const plains = [MAX_PLAIN_BYTES, 1, 50_000, 2];
  const frames = await Promise.all(plains.map(async (length) => {
    const [frame] = from.seal(new Uint8Array(length));
    await frame;
    order.push(length);
    return await frame!;
  }));
  const to = new NoiseReceiver(KEY);
  await Promise.all(frames.map(async (frame) => order.push((await to.open(frame)).length)));
  assert.deepEqual(order, [...plains, ...plains]);
});

Deno.test("seal() takes 1 to 65,519 bytes: nothing at all would renew the key", () => {
  const from = sender();
  for (const length of [0, 65_520]) {
    assert.throws(() => from.seal(new Uint8Array(length)), RangeError);
  }
});

async function corrupt(work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (thrown) => isKind(thrown, "corrupt"));
}
