import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { GO_MAX_DAMAGED, GO_PROBE_MS } from "../../core/build_limits.ts";
import { Patience } from "./patience.ts";

const error = (kind: ErrorKind) => new CacheError(kind, `Cannot: ${kind}`);

function patience() {
  const clock = new ManualClock();
  const said: string[] = [];
  return { clock, said, patience: new Patience(clock, (text) => said.push(text)) };
}

Deno.test("after an outage nobody waits; one question in three seconds goes ahead", () => {
  const { clock, said, patience: server } = patience();
  assert.equal(server.advice(), "ask");
  const { gone } = server;
  server.failed(error("timeout"));
  assert.ok(gone.aborted, "who waits is told");
  assert.equal(server.advice(), "miss");
  clock.advance(GO_PROBE_MS);
  assert.equal(server.advice(), "probe");
  assert.equal(server.advice(), "miss");
  server.failed(error("unavailable"));
  clock.advance(GO_PROBE_MS);
  assert.equal(server.advice(), "probe");
  server.succeeded();
  assert.equal(server.advice(), "ask");
  assert.ok(!server.gone.aborted);
  assert.equal(said.length, 1);
  assert.equal(server.outages, 1);
});

Deno.test("the second outage is the last that a build waits for", () => {
  const { clock, said, patience: server } = patience();
  server.failed(error("timeout"));
  clock.advance(GO_PROBE_MS);
  server.advice();
  server.succeeded();
  server.failed(error("timeout"));
  for (let n = 0; n < 5; n++) {
    clock.advance(GO_PROBE_MS);
    assert.equal(server.advice(), "miss");
  }
  server.succeeded();
  assert.equal(server.advice(), "miss");
  assert.equal(said.length, 2);
});

Deno.test("a refusal ends it at once, with one word to the user", () => {
  for (const kind of ["unauthenticated", "permission_denied", "unsupported"] as const) {
    const { clock, said, patience: server } = patience();
    server.failed(error(kind));
    server.failed(error(kind));
    clock.advance(GO_PROBE_MS);
    assert.equal(server.advice(), "miss");
    assert.deepEqual(said, [`going on without the server: Cannot: ${kind}`]);
  }
});

Deno.test("wrong bytes are a miss each, until there are too many", () => {
  const { said, patience: server } = patience();
  for (let n = 1; n < GO_MAX_DAMAGED; n++) server.failed(error("corrupt"));
  assert.equal(server.advice(), "ask");
  assert.deepEqual(said, []);
  server.failed(error("corrupt"));
  assert.equal(server.advice(), "miss");
  assert.equal(said.length, 1);
});
