import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import type { Clock } from "../../core/clock.ts";
import { isKind } from "../../core/errors.ts";
import { EXEC_PIPE_GRACE_MS } from "../../core/build_limits.ts";
import { Secret } from "../../core/secret.ts";
import type { ChildOptions } from "./child.ts";
import { printedBytes, runChild } from "./child.ts";
import { Printed } from "./printed.ts";
import { SecretSearch } from "./secret_scanner.ts";

const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

/** A clock on which the grace is over in so many milliseconds. */
function clockOfGrace(grace: number): Clock {
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() * EXEC_PIPE_GRACE_MS / grace,
    sleep: (ms, signal) => systemClock.sleep(ms * grace / EXEC_PIPE_GRACE_MS, signal),
  };
}
const fast = clockOfGrace(5);

/** Runs a line of shell and keeps what it prints. */
async function shell(
  line: string,
  options: Partial<ChildOptions> & { room?: number; show?: () => void | Promise<void> } = {},
) {
  const { room = 1000, show = () => {}, ...rest } = options;
  const search = new SecretSearch([{ name: "KEY", value: new Secret("hunter2-hunter2") }]);
  const shared = { left: room };
  let seen = "";
  const kept = () =>
    new Printed({
      scanner: search.scanner(),
      room: shared,
      show(part) {
        seen += text(part);
        return show();
      },
    });
  const printed = { stdout: kept(), stderr: kept() };
  const end = await runChild({
    words: ["/bin/sh", "-c", line],
    cwd: "/",
    interrupted: new AbortController().signal,
    interactive: false,
    clock: systemClock,
    printed,
    ...rest,
  });
  const bytes = printedBytes(printed);
  return {
    ...end,
    seen,
    stdout: text(bytes?.stdout),
    stderr: text(bytes?.stderr),
    problem: printed.stdout.problem ?? printed.stderr.problem,
  };
}

Deno.test("runChild keeps both streams apart and tells the program's own status", async () => {
  const ran = await shell("echo out; echo err >&2; exit 7", { env: {} });
  assert.deepEqual([ran.status, ran.signalled, ran.whole], [7, false, true]);
  assert.deepEqual([ran.stdout, ran.stderr], ["out\n", "err\n"]);
});

Deno.test("runChild gives the child variables, and 128 and the signal's number", async () => {
  const ran = await shell('echo "$GIVEN"; kill -9 $$', { env: { GIVEN: "yes" } });
  assert.deepEqual([ran.status, ran.signalled, ran.stdout], [137, true, "yes\n"]);
});

Deno.test("runChild hands SIGTERM and SIGINT on, and the child decides", async () => {
  for (const [name, status] of [["SIGTERM", 41], ["SIGINT", 42]] as const) {
    const interrupt = new AbortController();
    const ran = await shell(
      "trap 'exit 41' TERM; trap 'exit 42' INT; echo ready; while :; do sleep 0.01; done",
      {
        interrupted: interrupt.signal,
        show: () => interrupt.abort(new DOMException(name, "AbortError")),
      },
    );
    assert.equal(ran.status, status, name);
  }
});

Deno.test("runChild shows more than it keeps, and then keeps nothing", async () => {
  const ran = await shell("printf 123456; printf 789 >&2", { room: 8 });
  assert.equal(ran.seen.length, 9);
  assert.deepEqual([ran.stdout, ran.stderr], [undefined, undefined]);
  assert.equal(ran.problem, "it printed more than is kept");
});

Deno.test("runChild keeps nothing that holds a secret", async () => {
  const ran = await shell("echo fine; printf hunter2 >&2; sleep 0.02; printf -- -hunter2 >&2");
  assert.equal(ran.stdout, undefined);
  assert.equal(ran.problem, "KEY is in what it printed");
});

Deno.test("runChild does not wait for a process that was left behind with the pipe", async () => {
  const ran = await shell("sleep 2 & echo done", { clock: fast });
  assert.deepEqual([ran.status, ran.whole, ran.stdout], [0, false, undefined]);
});

Deno.test("runChild loses nothing where whoever reads what is printed takes his time", async () => {
  // More than one part, and less than a pipe holds: the program ends while the first one is shown.
  const ran = await shell("printf %060000d 0; printf done >&2; printf %05000d 1", {
    // To show it takes longer than the grace; all else takes less, also on a busy machine.
    clock: clockOfGrace(150),
    room: 100_000,
    show: () => systemClock.sleep(100),
  });
  assert.deepEqual([ran.status, ran.whole, ran.stdout?.length], [0, true, 65_000]);
});

Deno.test("runChild waits for the program also when what it printed can not be shown", async () => {
  // Nobody hears a rejection before the program has ended, and a process must not end of it.
  await assert.rejects(
    shell("echo one; sleep 0.02; exit 3", {
      show() {
        throw new Error("no space left on device");
      },
    }),
    /no space left/,
  );
});

Deno.test("runChild closes the pipe when nobody listens to us", async () => {
  const ran = await shell("yes", {
    show() {
      throw new Deno.errors.BrokenPipe("gone");
    },
  });
  // SIGPIPE, or the error of a write where that is ignored.
  assert.ok(ran.status === 141 || ran.status === 1, `${ran.status}`);
  assert.equal(ran.stdout, undefined);
});

Deno.test("runChild tells of a program that is not there", async () => {
  const missing = shell("", { words: ["/nowhere/program"] });
  await assert.rejects(missing, (thrown) => isKind(thrown, "not_found"));
});
