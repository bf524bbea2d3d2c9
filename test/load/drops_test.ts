/** Clients that leave in the middle, thousands of them: nothing of them stays. */
import assert from "node:assert/strict";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { runLoad } from "./client_process.ts";
import { loadOr } from "./form.ts";
import { processFacts, SETTLE_MS, settled } from "./process_facts.ts";
import type { ProcessFacts } from "./process_facts.ts";
import { ask, portOf, put } from "./server.ts";
import type { Reached } from "./server.ts";

const COUNT = loadOr(10_000, 400);
const MIB = 1024 * 1024;
/**
 * MB (10^6 bytes) to which memory goes back by itself, however many have left: twice what a server
 * has that just began. While they leave it is more, since heaps are collected when they like.
 */
const QUIET_MB = 350;

for (const what of ["download", "upload"] as const) {
  Deno.test(`${COUNT} ${what}s that are dropped in the middle leave nothing behind`, async () => {
    await using folder = await tempDir();
    await using server = await startServer(folder.join("store"), {
      args: ["--max-size", "none", "--access-log", "none"],
    });
    await put(server, "/v1/entries/large", bodyOf(1, 8 * MIB));
    const drop = (count: number) =>
      runLoad({
        job: "drop",
        port: portOf(server),
        token: server.adminToken,
        what,
        count,
        connections: 16,
        target: what === "download" ? "/v1/entries/large" : "/v1/entries/half",
        // Above and below what is taken in one piece.
        size: what === "download" ? 0 : 2 * MIB,
      });
    const fresh = await processFacts(server.pid);
    const left = (now: ProcessFacts) =>
      now.descriptors <= fresh.descriptors + 8 && now.rssMb < QUIET_MB;
    const warm = await drop(COUNT / 2);
    const before = await settled(server.pid, left, SETTLE_MS);
    const rest = await drop(COUNT / 2);
    const after = await settled(server.pid, left, SETTLE_MS);
    console.info(
      `${warm.dropped + rest.dropped} dropped ${what}s: memory fresh ${
        fresh.rssMb.toFixed(0)
      } MB, ` +
        `after the first half ${before.rssMb.toFixed(0)} MB, after all ${
          after.rssMb.toFixed(0)
        } MB ` +
        `(peak ${after.peakMb.toFixed(0)} MB); descriptors ${fresh.descriptors}, ` +
        `${before.descriptors}, ${after.descriptors}; threads ${fresh.threads}, ${after.threads}`,
    );
    assert.deepEqual([warm.refused, rest.refused], [0, 0]);
    assert.ok(left(after), `${after.descriptors} descriptors, ${after.rssMb} MB`);
    assert.ok(after.threads <= fresh.threads + 2, `${after.threads} threads`);
    assert.deepEqual(await held(server), ["vitte_in_flight_bytes 0", "vitte_answer_bytes 0"]);
    // Half an upload is nothing: neither an entry nor a blob.
    assert.equal(Number(JSON.parse((await ask(server, ["GET", "/v1/stats"])).text).entries), 1);
  });
}

/** What is held for bodies under way, by the server's own counting. */
async function held(server: Reached): Promise<string[]> {
  const { text } = await ask(server, ["GET", "/metrics"]);
  return text.split("\n").filter((line) => /^vitte_(answer|in_flight)_bytes /.test(line));
}
