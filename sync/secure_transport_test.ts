import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ManualClock, systemClock } from "../core/clock.ts";
import type { Bytes } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import { securePair } from "../test/helpers/secure_pair.ts";
import type { Change } from "../test/helpers/middle.ts";
import { throughMiddle } from "../test/helpers/middle.ts";
import { read, type readAll, settled, transportSuite } from "../test/suites/transport.ts";
import { memoryTransports } from "./transport_memory.ts";

transportSuite("secure transport over memory", async () => ({
  ends: await securePair(memoryTransports(), { clock: systemClock }),
}), { holdsBack: true });

transportSuite("secure transport that renews its keys all the time", async () => ({
  ends: await securePair(memoryTransports(), { clock: systemClock, rekey: { messages: 1 } }),
}), { holdsBack: true });

Deno.test("what is urgent overtakes a large message that has begun, fragment by fragment", async () => {
  const [a, b] = await securePair(memoryTransports(), { clock: systemClock });
  b.allowUnread(200_000);
  const bulk = new Uint8Array(2 * 1024 * 1024).fill(3);
  const sent: Promise<void>[] = [a.send(bulk, { lane: 3 })];
  await settled();
  for (const lane of [4, 2, 1, 0]) sent.push(a.send(new Uint8Array([lane]), { lane }));
  const order = await read(b, 5);
  assert.deepEqual(order.map((frame) => frame.length === 1 ? frame[0] : "bulk"), [
    0,
    1,
    2,
    "bulk",
    4,
  ]);
  assert.deepEqual(order[3], bulk);
  await Promise.all(sent);
  await a.close("done");
});

Deno.test("a key is renewed after an hour, and the other side follows", async () => {
  const clock = new ManualClock();
  const wire: number[] = [];
  const [a, b] = await pair((frame, _n, way) => {
    if (way === 0) wire.push(frame.length);
    return [frame];
  }, clock);
  wire.length = 0;
  await a.send(new Uint8Array([1]));
  clock.advance(3_600_000);
  await a.send(new Uint8Array([2]));
  await a.send(new Uint8Array([3]));
  assert.deepEqual((await read(b, 3)).map(([byte]) => byte), [1, 2, 3]);
  assert.deepEqual(wire.slice(-4), [18, 16, 18, 18], "head, byte and tag; a tag alone");
  await a.close("done");
});

Deno.test("nothing of what is sent can be seen in between", async () => {
  const seen: Bytes[] = [];
  const [a, b] = await pair((frame) => {
    seen.push(frame);
    return [frame];
  });
  const plain = crypto.getRandomValues(new Uint8Array(60_000));
  const reading = Promise.all([read(a, 1), read(b, 2)]);
  await Promise.all([a.send(plain), a.send(new Uint8Array(300_000)), b.send(plain)]);
  await reading;
  await a.close("done");
  const wire = Buffer.concat(seen);
  assert.ok(wire.length > 420_000);
  for (let at = 0; at + 16 <= plain.length; at += 400) {
    assert.ok(!wire.includes(Buffer.from(plain.subarray(at, at + 16))));
  }
  assert.ok(!wire.includes(Buffer.alloc(16)), "nor that zeros are zeros");
});

const DISTURBANCES: Readonly<Record<string, (frame: Bytes) => Bytes[]>> = {
  "changes one bit": (frame) => [frame.with(frame.length >> 1, frame[frame.length >> 1]! ^ 4)],
  "cuts a byte off": (frame) => [frame.slice(0, -1)],
  "adds a byte": (frame) => [new Uint8Array([...frame, 0])],
  "repeats it": (frame) => [frame, frame],
  "leaves it out": () => [],
  "puts something else there": (frame) => [new Uint8Array(frame.length)],
  "puts a tag there, as if the key was renewed": () => [new Uint8Array(16)],
};

for (const [what, disturb] of Object.entries(DISTURBANCES)) {
  for (const way of [0, 1] as const) {
    Deno.test(`whoever ${what} ends the session, whichever way: ${way ? "to" : "from"} the client`, async () => {
      // Message 2, and the client's confirmation, come first.
      const ends = await pair((frame, n, from) =>
        from === way && n === 3 ? disturb(frame) : [frame]
      );
      const [from, to] = way === 0 ? ends : [ends[1], ends[0]];
      const reading = readUntilFailure(to);
      const other = readUntilFailure(from);
      const sending = (async () => {
        for (let n = 0; n < 6; n++) await from.send(new Uint8Array([n, 1, 2]));
      })().catch(() => {});
      const { frames, error } = await reading;
      assert.ok(isKind(error, "corrupt"), String(error));
      const whole = frames.map(([n]) => n);
      assert.deepEqual(
        whole,
        [0, 1, 2, 3, 4].slice(0, whole.length),
        "only what was sent, in order",
      );
      assert.equal(whole.length, what === "repeats it" ? 3 : 2);
      assert.ok(isKind((await other).error, "corrupt"), "the other side is told");
      await sending;
      await assert.rejects(to.send(new Uint8Array(1)), (thrown) => isKind(thrown, "corrupt"));
    });
  }
}

Deno.test("a connection that is cut in the middle of a message is no end in order", async () => {
  for (const [size, cutAt] of [[1, 9], [300_000, 3]] as const) {
    const [a, b] = await pair((frame, n, way) => way === 0 && n === cutAt ? "cut" : [frame]);
    const reading = readUntilFailure(b);
    const sending = a.send(new Uint8Array(size)).catch(() => {});
    if (size === 1) {
      await sending;
      await a.close("done");
      assert.deepEqual(await reading, { frames: [new Uint8Array(1)], error: undefined });
      continue;
    }
    const { frames, error } = await reading;
    assert.deepEqual(frames, []);
    assert.ok(isKind(error, "unavailable"), String(error));
    await sending;
    await a.close("done");
  }
});

Deno.test("send() refuses lanes that there are not", async () => {
  const [a, b] = await pair();
  for (const lane of [-1, 5, 0.5, NaN]) {
    await assert.rejects(a.send(new Uint8Array(1), { lane }), RangeError);
  }
  await Promise.all([a.close("done"), b.close("done")]);
});

function pair(change: Change = (frame) => [frame], clock = new ManualClock()) {
  return securePair(throughMiddle(change), { clock });
}

async function readUntilFailure(
  from: Parameters<typeof readAll>[0],
): Promise<{ frames: Bytes[]; error: unknown }> {
  const frames: Bytes[] = [];
  try {
    for await (const frame of from.frames) frames.push(frame);
    return { frames, error: undefined };
  } catch (error) {
    return { frames, error };
  }
}
