/** A store at its limit that is written all the time: what is read meanwhile is right, or a miss. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { runLoad } from "./client_process.ts";
import { LOAD, loadOr } from "./form.ts";
import { processFacts } from "./process_facts.ts";
import { ask, portOf, put } from "./server.ts";
import { Hangup, Wire } from "./wire.ts";

const MIB = 1024 * 1024;
const LIMIT_MIB = 64;
const LARGE = 12 * MIB;

Deno.test("a full store that is written all the time serves right bytes or misses, and goes on", async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"), {
    args: ["--max-size", `${LIMIT_MIB}MiB`, "--access-log", "none"],
  });
  const port = portOf(server);
  const token = server.adminToken;
  const outcomes: Record<string, number> = {};
  const count = (what: string) => void (outcomes[what] = (outcomes[what] ?? 0) + 1);
  const stop = new AbortController();

  /** Reads what it wrote, slowly: its segments are evicted meanwhile. */
  const reader = async (id: number) => {
    for (let round = 0; !stop.signal.aborted; round++) {
      const number = 900_000 + id * 1000 + round;
      const target = `/v1/entries/large/${number}`;
      const body = bodyOf(number, LARGE);
      await put(server, target, body);
      using wire = await Wire.to(port);
      let differs = false;
      try {
        await wire.ask({ method: "GET", target, token });
        const { status } = await wire.answer({
          async onPart(part, received) {
            const at = received - part.length;
            // The body of a 404 is another one; which it is, is known at the end.
            differs ||= Buffer.compare(part, body.subarray(at, received)) !== 0;
            if (received % MIB < part.length) {
              await new Promise((resolve) => setTimeout(resolve, 30));
            }
          },
        });
        assert.ok(status === 200 || status === 404, `${status}`);
        assert.ok(status === 404 || !differs, "other bytes");
        count(status === 200 ? "whole" : "evicted before it began");
      } catch (thrown) {
        // The answer was broken off, and not ended as if it were whole.
        if (!(thrown instanceof Hangup)) throw thrown;
        assert.ok(!differs, "other bytes before it broke off");
        count("broken off");
      }
    }
  };
  const readers = [reader(1), reader(2)];
  const seconds = loadOr(30, 4);
  const seen = await runLoad({
    job: "mix",
    port,
    token,
    connections: 24,
    seconds,
    vanishing: 12,
    seed: 5,
    first: 1,
    writing: 1,
    sizes: [4_000, 60_000, 300_000, 900_000],
    list: folder.join("acknowledged.json"),
  });
  stop.abort();
  await Promise.all(readers);
  const stats = JSON.parse((await ask(server, ["GET", "/v1/stats"])).text);
  const { peakMb } = await processFacts(server.pid);
  console.info(
    `${
      (seen.bytesWritten / 1e6).toFixed(0)
    } MB in ${seconds} s into a store of ${LIMIT_MIB} MiB: ` +
      `${JSON.stringify(seen.answers)}, errors ${JSON.stringify(seen.errors)}; slow reads: ` +
      `${JSON.stringify(outcomes)}; peak memory ${peakMb.toFixed(0)} MB`,
  );
  assert.deepEqual(seen.errors, {});
  assert.ok(Object.keys(outcomes).length > 0, "nobody read anything");
  // In a few seconds of a busy machine all of it may be evicted under the readers.
  if (LOAD) assert.ok((outcomes["whole"] ?? 0) > 0, "nobody read anything whole");
  assert.ok(stats.stored_bytes <= LIMIT_MIB * MIB * 1.05, `${stats.stored_bytes} bytes`);
  const verified = await ask(server, ["POST", "/v1/admin/verify"]);
  const { quarantined, problems } = JSON.parse(verified.text);
  assert.deepEqual([quarantined, problems], [0, []]);
});
