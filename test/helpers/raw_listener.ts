/** A listener for a test, and clients that say exactly what the test wants. */
import assert from "node:assert/strict";
import type { ManualClock } from "../../core/clock.ts";
import type { Handler } from "../../server/deps.ts";
import { listen } from "../../server/listener/listen.ts";
import type { Listener, ListenerEvent, ListenOptions } from "../../server/listener/listen.ts";

/** A header that lacks its last line, and a whole one. */
export const HALF = "GET / HTTP/1.1\r\nHost: x\r\n";
export const WHOLE = `${HALF}\r\n`;

/** Answers every request. */
export const hello: Handler = () => new Response("hello");

/** Listens on a free port, looks every second by its clock, and stops at the end. */
export async function withListener(
  options: Partial<ListenOptions> & { handler?: Handler },
  use: (listener: Listener, events: ListenerEvent[]) => Promise<void>,
): Promise<void> {
  const events: ListenerEvent[] = [];
  const listener = await listen(options.handler ?? hello, {
    hostname: "127.0.0.1",
    port: 0,
    headerTimeoutMs: 15_000,
    sweepMs: 1_000,
    onEvent: (event) => events.push(event),
    ...options,
  });
  try {
    await use(listener, events);
  } finally {
    await listener.shutdown(0);
  }
}

/** A client that says exactly what the test wants. */
export class RawClient implements Disposable {
  readonly #conn: Deno.TcpConn;
  #closed = false;
  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }
  static async to(listener: Listener): Promise<RawClient> {
    return new RawClient(await Deno.connect(listener.addr));
  }
  async send(text: string): Promise<void> {
    await this.#conn.write(new TextEncoder().encode(text));
  }
  /** What comes until `done` or the end. */
  async read(done: (text: string) => boolean = () => false): Promise<string> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(65_536);
    let text = "";
    while (!done(text)) {
      const count = await this.#conn.read(buffer).catch(resetIsEnd);
      if (count === null) break;
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
    return text;
  }
  async ask(): Promise<string> {
    await this.send(WHOLE);
    return await this.read((text) => text.endsWith("hello"));
  }
  [Symbol.dispose](): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }
}

function resetIsEnd(error: unknown): null {
  if (error instanceof Deno.errors.ConnectionReset) return null;
  throw error;
}

/** Waits up to five seconds for something to become true. */
export async function until(what: () => boolean, why: string): Promise<void> {
  for (let look = 0; look < 500; look++) {
    if (what()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`never: ${why}`);
}

/** Lets time pass, second by second, until `work` is done. */
export async function asTimePasses<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let done = false;
  work.finally(() => done = true).catch(() => {}); // the caller gets the failure below
  for (let second = 0; !done && second < 2_000; second++) {
    clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return await work;
}

/** Nobody answers any more; what still waited to be accepted is reset first. */
export async function refused(listener: Listener): Promise<void> {
  for (let look = 0; look < 100; look++) {
    try {
      using client = await RawClient.to(listener);
      assert.equal(await client.read(), "");
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionRefused) return;
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }
  assert.fail("the port is still open");
}
