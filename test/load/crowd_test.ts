/** A thousand clients at once, some of which vanish: nobody sees an error that nobody ordered. */
import assert from "node:assert/strict";
import {
  CONNECTION_BUFFER_BYTES,
  MAX_ANSWER_BYTES,
  MAX_BYTES_IN_FLIGHT,
} from "../../core/limits.ts";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { runLoad } from "./client_process.ts";
import { loadOr } from "./form.ts";
import { MemoryCurve, processFacts, SETTLE_MS, settled } from "./process_facts.ts";

const CONNECTIONS = 1_000;
const SECONDS = loadOr(60, 5);
/** What the server takes by itself with two threads, and what the named limits let others take. */
const MEMORY_LIMIT_MB = 150 +
  (MAX_BYTES_IN_FLIGHT + MAX_ANSWER_BYTES + CONNECTIONS * CONNECTION_BUFFER_BYTES) / 1e6;
const KIB = 1024;
/** Mostly small, as builds have them; one in twenty is larger than what is answered whole. */
const SIZES = [
  ...Array.from({ length: 14 }, () => KIB),
  ...[16 * KIB, 16 * KIB, 64 * KIB, 64 * KIB, 64 * KIB, 1200 * KIB],
];

Deno.test(`${CONNECTIONS} clients for ${SECONDS} s, a tenth of which vanish, lose nothing`, async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"), {
    args: ["--max-size", "none", "--threads", "2"],
  });
  const port = Number(new URL(server.url).port);
  const token = server.adminToken;
  const list = folder.join("acknowledged.json");
  const before = await processFacts(server.pid);
  using curve = new MemoryCurve(server.pid, 500);
  const seen = await runLoad({
    job: "mix",
    port,
    token,
    connections: CONNECTIONS,
    seconds: SECONDS,
    vanishing: 10,
    seed: 1,
    first: 1,
    writing: 0.4,
    sizes: SIZES,
    list,
  });
  console.info(
    `${seen.requests} requests in ${SECONDS} s, ${seen.vanished} dropped by their clients; ` +
      `p50 ${seen.p50Ms.toFixed(1)} ms, p99 ${seen.p99Ms.toFixed(0)} ms, ` +
      `longest ${seen.maxMs.toFixed(0)} ms`,
  );
  console.info(`answers: ${JSON.stringify(seen.answers)}`);
  console.info(`errors: ${JSON.stringify(seen.errors)}`);
  console.info(`memory (MB): ${curve.text()}`);
  const back = await runLoad({ job: "read_back", port, token, connections: 16, list });
  const after = await settled(
    server.pid,
    (now) => now.descriptors <= before.descriptors + 8,
    SETTLE_MS,
  );
  console.info(
    `${seen.acknowledged} bodies of ${(seen.bytesWritten / 1e6).toFixed(0)} MB acknowledged, ` +
      `${back.read} of ${(back.bytes / 1e6).toFixed(0)} MB read back; ` +
      `peak memory ${after.peakMb.toFixed(0)} MB of ${
        MEMORY_LIMIT_MB.toFixed(0)
      }, descriptors before ${before.descriptors}, ` +
      `after ${after.descriptors}, threads before ${before.threads}, after ${after.threads}`,
  );
  assert.deepEqual(seen.errors, {});
  assert.deepEqual([back.lost, back.wrong, back.examples], [0, 0, []]);
  assert.equal(back.read, seen.acknowledged);
  // How many is up to the machine; that they were all taken is not.
  assert.ok(seen.acknowledged > 0, "nothing was acknowledged");
  assert.ok(seen.vanished > 0);
  assert.ok(after.peakMb < MEMORY_LIMIT_MB, `peak memory ${after.peakMb} MB`);
  assert.ok(after.descriptors <= before.descriptors + 8, `${after.descriptors} descriptors`);
  assert.ok(after.threads <= before.threads + 2, `${after.threads} threads`);
});
