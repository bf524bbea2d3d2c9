/** Credits: what may be on the way, and who is held to it. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { isKind } from "../../core/errors.ts";
import {
  FIRST_CREDIT_BYTES,
  MAX_CREDIT_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_UNREAD_BYTES,
  UNCONFIRMED_BYTES,
} from "../../core/sync_limits.ts";
import { CreditAccount, CreditWindows } from "./credit.ts";
import { CREDIT_CLASSES } from "./messages.ts";

const NO_SIGNAL = {};

Deno.test("credits: a sender without them waits for the next, and goes on with just these", async () => {
  const account = new CreditAccount();
  await account.take("bulk", FIRST_CREDIT_BYTES + 10, NO_SIGNAL);
  let went = false;
  const waiting = account.take("bulk", 5, NO_SIGNAL).then(() => went = true);
  await account.take("work", 5, NO_SIGNAL);
  account.grant("bulk", 10);
  await Promise.resolve();
  assert.equal(went, false);
  account.grant("bulk", 1);
  await waiting;
});

Deno.test("credits: a wait for them ends with its signal", async () => {
  const account = new CreditAccount();
  await account.take("work", FIRST_CREDIT_BYTES, NO_SIGNAL);
  const stop = new AbortController();
  const waiting = account.take("work", 1, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

Deno.test("credits: more than 32 MiB of them are refused", () => {
  const account = new CreditAccount();
  account.grant("work", MAX_CREDIT_BYTES - FIRST_CREDIT_BYTES);
  assert.throws(() => account.grant("work", 1), (error) => isKind(error, "invalid_argument"));
});

Deno.test("credits: who sends without them is refused, in that class alone", () => {
  const windows = new CreditWindows();
  windows.received("bulk", FIRST_CREDIT_BYTES);
  assert.throws(() => windows.received("bulk", 1), (error) => isKind(error, "invalid_argument"));
  windows.received("work", 1);
});

Deno.test("credits: what is not stored gives none, however much has come", () => {
  const windows = new CreditWindows();
  windows.received("bulk", FIRST_CREDIT_BYTES);
  assert.equal(windows.stored("bulk", FIRST_CREDIT_BYTES / 4 - 1), 0);
  assert.equal(windows.stored("bulk", 1), FIRST_CREDIT_BYTES / 4);
});

Deno.test("credits: a window grows from 1 MiB as it is stored, all of them to 32 MiB at most", () => {
  const windows = new CreditWindows();
  const sizes = [windows.window("bulk")];
  for (let stored = 0; stored < 200 * FIRST_CREDIT_BYTES; stored += FIRST_CREDIT_BYTES) {
    windows.stored("bulk", FIRST_CREDIT_BYTES);
    if (windows.window("bulk") !== sizes.at(-1)) sizes.push(windows.window("bulk"));
  }
  assert.deepEqual(sizes.map((size) => size / FIRST_CREDIT_BYTES), [1, 2, 4, 8, 16, 29]);
  const sum = CREDIT_CLASSES.reduce((total, name) => total + windows.window(name), 0);
  assert.equal(sum, MAX_CREDIT_BYTES);
});

Deno.test("credits: what may lie unread has room for all windows and a message of each class", () => {
  const beyond = CREDIT_CLASSES.length * MAX_MESSAGE_BYTES;
  assert.ok(MAX_CREDIT_BYTES + beyond <= MAX_UNREAD_BYTES + 4 * 64 * 1024);
  assert.equal(CREDIT_CLASSES.length * FIRST_CREDIT_BYTES, UNCONFIRMED_BYTES);
});

Deno.test("credits: who keeps to them is never refused and never stuck", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: MAX_MESSAGE_BYTES }), { maxLength: 60 });
  fc.assert(fc.property(sizes, (messages) => {
    const windows = new CreditWindows();
    let left = FIRST_CREDIT_BYTES;
    const unstored: number[] = [];
    for (const size of messages) {
      while (left <= 0) {
        const oldest = unstored.shift();
        assert.ok(oldest !== undefined, "all is stored, and there is no credit");
        left += windows.stored("bulk", oldest);
      }
      left -= size;
      windows.received("bulk", size);
      unstored.push(size);
      const beyond = unstored.reduce((sum, bytes) => sum + bytes, 0) - windows.window("bulk");
      assert.ok(beyond < MAX_MESSAGE_BYTES);
    }
  }));
});
