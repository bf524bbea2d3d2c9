import assert from "node:assert/strict";
import { askSecret } from "./ask_secret.ts";

/** A terminal on which these are typed; tells what was seen and whether the echo is on. */
function typing(...parts: string[]) {
  const seen: string[] = [];
  const state = { hidden: false };
  return {
    seen,
    state,
    write: (text: string) => void seen.push(text),
    hide: (hidden: boolean) => void (state.hidden = hidden),
    read(signal: AbortSignal) {
      signal.throwIfAborted();
      assert.ok(state.hidden, "it reads with the echo off only");
      const part = parts.shift();
      return Promise.resolve(part === undefined ? undefined : new TextEncoder().encode(part));
    },
  };
}

const NEVER = new AbortController().signal;

for (
  const [what, parts, want] of [
    ["a line at once", ["secret\n"], "secret"],
    ["a line key by key", ["s", "e", "c", "\r"], "sec"],
    ["what is typed behind the line is not part of it", ["one\rtwo"], "one"],
    ["a wrong key is taken back", ["sek\x7fcret\r"], "secret"],
    ["a wrong line is taken back", ["wrong\x15secret\r"], "secret"],
    ["nothing but Enter", ["\r"], ""],
    ["the end of the input", ["half"], undefined],
    ["Ctrl-D at once", ["\x04"], undefined],
  ] as const
) {
  Deno.test(`a secret is asked for: ${what}`, async () => {
    const terminal = typing(...parts);
    assert.equal(await askSecret(terminal, "Token: ", NEVER), want);
    assert.deepEqual(terminal.seen, ["Token: ", "\n"], "nothing that was typed is shown");
    assert.equal(terminal.state.hidden, false);
  });
}

Deno.test("a secret is asked for: after an interruption the echo is on again", async () => {
  const controller = new AbortController();
  const terminal = typing("half");
  const read = terminal.read;
  terminal.read = async (signal) => {
    const bytes = await read(signal);
    controller.abort(new DOMException("SIGINT", "AbortError"));
    return bytes;
  };
  await assert.rejects(askSecret(terminal, "Token: ", controller.signal), /SIGINT/);
  assert.equal(terminal.state.hidden, false);
});

Deno.test("a secret is asked for: what never ends fills no memory", async () => {
  const endless = Array.from({ length: 1000 }, () => "x".repeat(1000));
  const line = await askSecret(typing(...endless, "\r"), "Token: ", NEVER);
  assert.ok(line !== undefined && line.length < 10_000, `${line?.length}`);
});
