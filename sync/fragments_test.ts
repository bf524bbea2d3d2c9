import assert from "node:assert/strict";
import fc from "fast-check";
import type { Bytes } from "../core/digest.ts";
import { CacheError, isKind } from "../core/errors.ts";
import type { ErrorKind } from "../core/errors.ts";
import { LANES, MAX_MESSAGE_BYTES } from "../core/sync_limits.ts";
import { FRAGMENT_BYTES, Inbox, MIN_FRAGMENT_BYTES, Outbox } from "./fragments.ts";

function message(bytes: Bytes) {
  return { bytes, sent: () => {}, failed: () => {} };
}

Deno.test("Inbox has each lane's messages whole and in order, however they come in between", () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          lane: fc.nat(LANES - 1),
          size: fc.oneof(
            fc.nat(5),
            fc.constantFrom(
              ...[0, 1, 2].flatMap((n) =>
                [-1, 0, 1].map((by) => n * FRAGMENT_BYTES + by).filter((size) => size >= 0)
              ),
            ),
          ),
          take: fc.nat(4),
        }),
        { maxLength: 20 },
      ),
      (steps) => {
        const [outbox, inbox] = [new Outbox(), new Inbox()];
        const want: Bytes[][] = Array.from({ length: LANES }, () => []);
        const got: Bytes[][] = Array.from({ length: LANES }, () => []);
        const takeOne = (): boolean => {
          const fragment = outbox.next();
          if (!fragment) return false;
          const taken = inbox.take(fragment.bytes);
          assert.equal(taken !== undefined, fragment.last !== undefined);
          if (taken) got[fragment.bytes[0]! & 7]!.push(taken);
          return true;
        };
        for (const [index, { lane, size, take }] of steps.entries()) {
          const bytes = new Uint8Array(size).fill(index);
          want[lane]!.push(bytes);
          outbox.add(lane, message(bytes));
          for (let n = 0; n < take; n++) takeOne();
        }
        while (takeOne());
        assert.deepEqual(got, want);
        assert.equal(inbox.unfinished, false);
      },
    ),
    { numRuns: 50 },
  ));

Deno.test("Outbox takes back what has not begun, and nothing else", () => {
  const outbox = new Outbox();
  const [long, short] = [message(new Uint8Array(FRAGMENT_BYTES + 1)), message(new Uint8Array(1))];
  outbox.add(1, long);
  outbox.add(1, short);
  assert.equal(outbox.next()!.last, undefined);
  assert.equal(outbox.withdraw(1, long), false);
  assert.equal(outbox.withdraw(1, short), true);
  assert.equal(outbox.withdraw(1, short), false);
  assert.equal(outbox.next()!.last, long);
  assert.equal(outbox.next(), undefined);
});

Deno.test("Outbox.fail() tells all that wait, also the one that has begun", () => {
  const outbox = new Outbox();
  const failures: unknown[] = [];
  const error = new CacheError("unavailable", "gone");
  for (const lane of [0, 3]) {
    const bytes = new Uint8Array(FRAGMENT_BYTES + 1);
    outbox.add(lane, { ...message(bytes), failed: (failure) => failures.push(failure) });
  }
  outbox.next();
  outbox.fail(error);
  assert.deepEqual(failures, [error, error]);
  assert.equal(outbox.next(), undefined);
});

Deno.test("Inbox refuses heads that mean nothing, crumbs, and lanes that there are not", () => {
  refused(new Uint8Array(0), "invalid_argument");
  for (let head = 0; head < 256; head++) {
    const bytes = new Uint8Array(1 + MIN_FRAGMENT_BYTES);
    bytes[0] = head;
    const lane = head & 0x7f;
    if (lane < LANES) new Inbox().take(bytes);
    else refused(bytes, "invalid_argument");
  }
  for (const crumb of [0, 1, MIN_FRAGMENT_BYTES - 1]) {
    const bytes = new Uint8Array(1 + crumb);
    bytes[0] = 0x80;
    refused(bytes, "invalid_argument");
  }
});

Deno.test("Inbox refuses a message above its limit before it holds more than that", () => {
  const inbox = new Inbox();
  const more = new Uint8Array(FRAGMENT_BYTES + 1);
  more[0] = 0x82;
  let size = 0;
  assert.throws(() => {
    while (true) {
      inbox.take(more);
      size += FRAGMENT_BYTES;
    }
  }, (thrown) => isKind(thrown, "too_large"));
  assert.ok(size <= MAX_MESSAGE_BYTES && size > MAX_MESSAGE_BYTES - FRAGMENT_BYTES);
});

function refused(fragment: Bytes, kind: ErrorKind): void {
  assert.throws(() => new Inbox().take(fragment), (thrown) => isKind(thrown, kind));
}
