import assert from "node:assert/strict";
import { ManualClock } from "../core/clock.ts";
import { CacheError, isKind } from "../core/errors.ts";
import { HANDSHAKE_BYTES, MAX_BUFFERED_BYTES, MAX_FRAME_BYTES } from "../core/sync_limits.ts";
import { readAll, settled } from "../test/suites/transport.ts";
import type { SocketLike } from "./websocket_transport.ts";
import { webSocketTransport } from "./websocket_transport.ts";

/** A socket whose far end is the test. */
class FakeSocket implements SocketLike {
  binaryType: BinaryType = "blob";
  bufferedAmount = 0;
  readyState = 1;
  onopen: SocketLike["onopen"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  onmessage: SocketLike["onmessage"] = null;
  readonly sent: number[] = [];
  readonly closes: [number | undefined, string | undefined][] = [];

  send(data: unknown): void {
    assert.equal(this.readyState, 1);
    this.sent.push((data as Uint8Array).length);
    this.bufferedAmount += (data as Uint8Array).length;
  }
  close(code?: number, reason?: string): void {
    this.readyState = 2;
    this.closes.push([code, reason]);
  }
  receive(data: unknown): void {
    this.onmessage!.call(this as never, new MessageEvent("message", { data }));
  }
  closed(code: number, reason = ""): void {
    this.readyState = 3;
    this.onclose!.call(this as never, new CloseEvent("close", { code, reason }));
  }
}

function world(readyState = 1) {
  const [socket, clock] = [new FakeSocket(), new ManualClock()];
  socket.readyState = readyState;
  return { socket, clock, transport: webSocketTransport(socket, { clock }) };
}

Deno.test("a WebSocket never holds more than 1 MiB for sending, and frames keep their order", async () => {
  const { socket, clock, transport } = world();
  const sizes = Array.from({ length: 40 }, (_, n) => 60_000 + n);
  const done: number[] = [];
  const sending = sizes.map((size) =>
    transport.send(new Uint8Array(size)).then(() => done.push(size))
  );
  await settled();
  const [full] = [socket.sent.length];
  assert.ok(socket.bufferedAmount <= MAX_BUFFERED_BYTES && full === 17, `${full}`);
  for (let look = 0; look < 100 && socket.sent.length < 40; look++) {
    if (look % 10 === 0) socket.bufferedAmount = 0;
    clock.advance(16);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.ok(socket.bufferedAmount <= MAX_BUFFERED_BYTES);
  }
  await Promise.all(sending);
  assert.deepEqual(socket.sent, sizes);
  assert.deepEqual(done, sizes);
  await ended(transport, socket);
});

Deno.test("a sender that waits for room is woken by an end, and by its signal", async () => {
  const { socket, clock, transport } = world();
  socket.bufferedAmount = MAX_BUFFERED_BYTES;
  const given = new AbortController();
  const one = transport.send(new Uint8Array(1), { signal: given.signal });
  const two = transport.send(new Uint8Array(2));
  await settled();
  const reason = new Error("given up");
  given.abort(reason);
  await assert.rejects(one, (thrown) => thrown === reason);
  socket.closed(1006);
  const seen = assert.rejects(two, (thrown) => isKind(thrown, "unavailable"));
  await settled();
  clock.advance(16);
  await seen;
  assert.deepEqual(socket.sent, []);
});

Deno.test("what is sent before the socket is open waits for that", async () => {
  const { socket, transport } = world(0);
  const sending = [1, 2].map((size) => transport.send(new Uint8Array(size)));
  await settled();
  assert.deepEqual(socket.sent, []);
  socket.readyState = 1;
  socket.onopen!.call(socket as never, new Event("open"));
  await Promise.all(sending);
  assert.deepEqual(socket.sent, [1, 2]);
  await ended(transport, socket);
});

Deno.test("a silent side sends an empty frame every 15 s, and never when it has just spoken", async () => {
  const { socket, clock, transport } = world();
  const reading = readAll(transport);
  const hear = () => socket.receive(new ArrayBuffer(0));
  await step(clock, 15_000, hear);
  assert.deepEqual(socket.sent, [0]);
  await step(clock, 10_000, hear);
  await transport.send(new Uint8Array(3));
  await step(clock, 5_000, hear);
  assert.deepEqual(socket.sent, [0, 3]);
  await step(clock, 15_000, hear);
  assert.deepEqual(socket.sent, [0, 3, 0]);
  await ended(transport, socket);
  assert.deepEqual(await reading, [], "heartbeats are no frames");
  assert.equal(clock.sleeping, 0);
});

Deno.test("a peer that is not heard for 45 s is given up as a timeout", async () => {
  const { socket, clock, transport } = world();
  const reading = assert.rejects(readAll(transport), (thrown) => isKind(thrown, "timeout"));
  for (const _ of [15, 30]) await step(clock, 15_000);
  assert.deepEqual(socket.closes, []);
  await step(clock, 15_000);
  await reading;
  assert.deepEqual(socket.closes, [[4504, "timeout"]]);
  // It hangs, so it does not answer; a second later the close is over all the same.
  const closing = transport.close("again");
  await step(clock, 1_000);
  await closing;
  assert.equal(clock.sleeping, 0);
});

const REFUSED = {
  "text": ["hello", 4501],
  "a frame over the limit": [new ArrayBuffer(MAX_FRAME_BYTES + 1), 4413],
} as const;
for (const [what, [data, code]] of Object.entries(REFUSED)) {
  Deno.test(`${what} ends the connection with code ${code}, and nothing behind it is heard`, async () => {
    const { socket, transport } = world();
    transport.allowUnread(10 * MAX_FRAME_BYTES);
    socket.receive(new ArrayBuffer(5));
    socket.receive(data);
    socket.receive(new ArrayBuffer(5));
    socket.closed(1006);
    await assert.rejects(readAll(transport), CacheError);
    assert.equal(socket.closes[0]![0], code);
    assert.equal(socket.closes.length, 1);
  });
}

Deno.test("before more is allowed, 64 KiB may lie unread; a byte more ends the connection", async () => {
  const { socket, transport } = world();
  socket.receive(new ArrayBuffer(HANDSHAKE_BYTES - 1));
  socket.receive(new ArrayBuffer(1));
  assert.deepEqual(socket.closes, []);
  transport.allowUnread(HANDSHAKE_BYTES + 10);
  socket.receive(new ArrayBuffer(10));
  assert.deepEqual(socket.closes, []);
  socket.receive(new ArrayBuffer(1));
  assert.deepEqual(socket.closes, [[4413, "too_large"]]);
  socket.closed(4413);
  await assert.rejects(readAll(transport), (thrown) => isKind(thrown, "too_large"));
});

async function step(clock: ManualClock, ms: number, also = () => {}): Promise<void> {
  clock.advance(ms);
  also();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

async function ended(transport: ReturnType<typeof webSocketTransport>, socket: FakeSocket) {
  const closing = transport.close("done");
  socket.closed(1000);
  await closing;
}
