/** What strangers can take from those who have a token: nearly nothing. */
import assert from "node:assert/strict";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { runLoad, startLoad } from "./client_process.ts";
import { LOAD, loadOr } from "./form.ts";
import { processFacts, SETTLE_MS, settled } from "./process_facts.ts";

const STRANGERS = 2_000;
/** Pairs of a quiet and a loaded run; the medians of their p99 are compared. */
const ROUNDS = loadOr(5, 1);
/** The long one is longer than a header may take: all strangers are ended, and come back, in it. */
const SECONDS = loadOr(24, 3);
const MOST = 2;
/** Below this many milliseconds a p99 says more of the machine than of the server. */
const FLOOR_MS = 2;

Deno.test(`${STRANGERS} strangers that drip a byte a second cost a token holder little`, async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"), { args: ["--max-size", "none"] });
  const port = Number(new URL(server.url).port);
  const target = "/v1/entries/small";
  await put(server, target, bodyOf(1, 1024));
  const before = await processFacts(server.pid);
  const measure = () =>
    runLoad({
      job: "probe",
      port,
      token: server.adminToken,
      target,
      connections: 4,
      seconds: SECONDS,
      pauseMs: 2,
    });
  await measure(); // the runtime has compiled what it needs after this
  const quiet: number[] = [];
  const loaded: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const alone = await measure();
    await using strangers = startLoad({ job: "drip", port, connections: STRANGERS, everyMs: 1000 });
    await strangers.ready;
    const among = await measure();
    const { opened, cut, bytes } = await strangers.stop();
    quiet.push(alone.p99Ms);
    loaded.push(among.p99Ms);
    console.info(
      `p99 alone ${alone.p99Ms.toFixed(2)} ms of ${alone.requests}, among ${opened} strangers ` +
        `${among.p99Ms.toFixed(2)} ms of ${among.requests}; ${cut} cut, ${bytes} bytes dripped`,
    );
    assert.deepEqual([alone.errors, among.errors], [{}, {}]);
    assert.ok(among.requests > 0, "nobody was served among them");
  }
  const [alone, among] = [median(quiet), median(loaded)];
  const left = (now: { descriptors: number }) => now.descriptors <= before.descriptors + 8;
  const after = await settled(server.pid, left, SETTLE_MS);
  console.info(
    `median p99: alone ${alone.toFixed(2)} ms, among ${STRANGERS} strangers ${
      among.toFixed(2)
    } ms ` +
      `(${(among / alone).toFixed(2)} times); peak memory ${after.peakMb.toFixed(0)} MB, ` +
      `descriptors before ${before.descriptors}, after ${after.descriptors}`,
  );
  assert.ok(left(after), `${after.descriptors} descriptors`);
  // A short run beside other work measures that work: it only prints.
  if (LOAD) assert.ok(among < MOST * Math.max(alone, FLOOR_MS), `${among} ms against ${alone} ms`);
});

async function put(
  { url, adminToken }: { readonly url: string; readonly adminToken: string },
  target: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const answer = await fetch(url + target, { method: "PUT", headers, body });
  await answer.body?.cancel();
  assert.ok(answer.ok, `${answer.status}`);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
