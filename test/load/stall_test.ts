/** Clients that stand still: little memory for each, and in the end nothing. */
import assert from "node:assert/strict";
import { RESPONSE_STALL_MS } from "../../core/limits.ts";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { runLoad, startLoad } from "./client_process.ts";
import { LOAD, loadOr } from "./form.ts";
import { processFacts, SETTLE_MS, settled } from "./process_facts.ts";
import { portOf, put, until } from "./server.ts";

const READERS = loadOr(1_000, 200);
const UPLOADERS = loadOr(500, 100);
/** Times its p99 alone that a token holder's may be. */
const MOST = 2;
/** Below this many milliseconds a p99 says more of the machine than of the server. */
const FLOOR_MS = 2;
/** Milliseconds of the same while all readers begin, on two cores that their clients use as well. */
const MOST_BEGIN_MS = 150;
const MIB = 1024 * 1024;
/** What the server takes by itself, what all may read ahead, and a part for each. */
const MOST_MB = 400 + (READERS + UPLOADERS) * 0.4;

Deno.test(`${READERS} readers and ${UPLOADERS} writers that stand still leave room for the others`, async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"), {
    args: ["--max-size", "none", "--access-log", "none"],
  });
  const common = { port: portOf(server), token: server.adminToken };
  await put(server, "/v1/entries/large", bodyOf(1, 48 * MIB));
  await put(server, "/v1/entries/small", bodyOf(2, 1024));
  const probing = {
    job: "probe",
    ...common,
    target: "/v1/entries/small",
    connections: 4,
    seconds: loadOr(10, 2),
    pauseMs: 2,
  } as const;
  const measure = () => runLoad(probing);
  await measure(); // the runtime has compiled what it needs after this
  const alone = await measure();
  const before = await processFacts(server.pid);
  await using beside = startLoad(probing);
  await beside.ready;
  await using readers = startLoad({
    job: "stall",
    ...common,
    connections: READERS,
    method: "GET",
    target: "/v1/entries/large",
  });
  await readers.ready;
  const began = await beside.stop();
  console.info(
    `while the readers begin: ${began.requests} requests of others, p50 ${
      began.p50Ms.toFixed(1)
    } ms, p99 ${began.p99Ms.toFixed(1)} ms, longest ${began.maxMs.toFixed(0)} ms`,
  );
  await using writers = startLoad({
    job: "stall",
    ...common,
    connections: UPLOADERS,
    method: "PUT",
    target: "/v1/entries/still",
    length: 200_000,
    sent: 100_000,
  });
  await writers.ready;
  // Until all buffers between here and there are full.
  await idle(server.pid);
  const probe = await measure();
  const among = await processFacts(server.pid);
  console.info(
    `${READERS} readers and ${UPLOADERS} writers stand still: memory ${
      before.rssMb.toFixed(0)
    } MB ` +
      `before, ${among.rssMb.toFixed(0)} MB among them, descriptors ${before.descriptors}, ` +
      `${among.descriptors}; others: ${probe.requests} requests, p99 ${
        probe.p99Ms.toFixed(1)
      } ms; ` +
      `alone: ${alone.requests} requests, p99 ${alone.p99Ms.toFixed(1)} ms`,
  );
  assert.deepEqual([alone.errors, began.errors, probe.errors], [{}, {}, {}]);
  assert.ok(probe.requests > 0, "nobody was served among them");
  assert.ok(among.rssMb < MOST_MB, `${among.rssMb} MB`);
  if (LOAD) {
    assert.ok(began.p99Ms < MOST_BEGIN_MS, `p99 ${began.p99Ms} ms while readers begin`);
    const most = MOST * Math.max(alone.p99Ms, FLOOR_MS);
    assert.ok(probe.p99Ms < most, `p99 ${probe.p99Ms} ms against ${alone.p99Ms} ms`);
    // By themselves: the clients hold on. Whose upload was given up has had an answer, and may ask
    // again on its connection.
    const ended = (now: { descriptors: number }) =>
      now.descriptors <= before.descriptors + UPLOADERS + 8;
    const cut = await settled(server.pid, ended, RESPONSE_STALL_MS + 40_000);
    console.info(`after the time limit: descriptors ${cut.descriptors}`);
    assert.ok(ended(cut), `${cut.descriptors} descriptors`);
  }
  await readers.stop();
  await writers.stop();
  const quiet = (now: { descriptors: number }) => now.descriptors <= before.descriptors + 8;
  const after = await settled(server.pid, quiet, SETTLE_MS);
  console.info(`when they have left: descriptors ${after.descriptors}`);
  assert.ok(quiet(after), `${after.descriptors} descriptors`);
});

/** Waits until a process has hardly anything to do. */
async function idle(pid: number): Promise<void> {
  const ticks = () => {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]!.split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  // The first look has nothing to be held against.
  let last = -Infinity;
  await until(() => {
    const now = ticks();
    const calm = now - last <= 2;
    last = now;
    return calm;
  }, { ms: 60_000, everyMs: 500, why: "the server has nothing to do" });
}
