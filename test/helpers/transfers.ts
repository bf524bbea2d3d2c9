/** For tests of uploads and downloads: bodies fed by hand, clocks moved by hand. */
import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { createHandlerFixture, REMOTE, request } from "./http_fixture.ts";
import type { FixtureOptions, HandlerFixture } from "./http_fixture.ts";

/** A PUT whose body the test feeds by hand. */
export function openPut(
  server: HandlerFixture,
  target: string,
  headers: Record<string, string> = {},
) {
  let controller: ReadableStreamDefaultController<Bytes> | undefined;
  let pulled = 0;
  let cancelled = false;
  const body = new ReadableStream<Bytes>({
    start(given) {
      controller = given;
    },
    pull() {
      pulled++;
    },
    cancel() {
      cancelled = true;
    },
  }, { highWaterMark: 0 });
  const made = request("PUT", target, { headers });
  const incoming = new Proxy(made, {
    get(inner, name) {
      if (name === "body") return body;
      const value = Reflect.get(inner, name, inner);
      return typeof value === "function" ? value.bind(inner) : value;
    },
  });
  const answer = Promise.resolve(server.handler(incoming, REMOTE));
  return {
    answer,
    body: controller!,
    get pulled() {
      return pulled;
    },
    get cancelled() {
      return cancelled;
    },
  };
}

/** Lets everything that is ready happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

/** A server on a clock that stands; no timer and no byte in flight may be left over. */
export async function atClock(
  run: (clock: ManualClock, server: HandlerFixture) => Promise<void>,
  options: FixtureOptions = {},
) {
  const clock = new ManualClock();
  await using server = createHandlerFixture({ clock, ...options });
  await run(clock, server);
  await settle();
  assert.equal(clock.sleeping, 0, "a timer is left over");
  assert.equal(server.counters.get("bytes_in_flight"), 0);
}
