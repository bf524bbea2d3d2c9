/** A server that may open few files: it runs out of them, refuses, and is back by itself. */
import assert from "node:assert/strict";
import { SOURCE_PROGRAM, startServer } from "../helpers/real_server.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { runLoad, startLoad } from "./client_process.ts";
import { loadOr } from "./form.ts";
import { processFacts, SETTLE_MS, settled } from "./process_facts.ts";
import { ask, portOf, put, until } from "./server.ts";

/** What the server takes for itself, and some connections. */
const DESCRIPTORS = 160;
const STRANGERS = 500;
/** New connections of which each must be served before all threads are called back. */
const IN_A_ROW = 40;

/** Whether a connection of its own is served. */
async function servesAnew(port: number, token: string): Promise<boolean> {
  const head = `GET /v1/entries/before HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n` +
    `authorization: Bearer ${token}\r\nrange: bytes=0-0\r\n\r\n`;
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(head));
    const answer = new Uint8Array(1024);
    const length = await connection.read(answer) ?? 0;
    return /^HTTP\/1\.1 20[06] /.test(new TextDecoder().decode(answer.subarray(0, length)));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.ConnectionReset) return false;
    if (thrown instanceof Deno.errors.ConnectionRefused) return false;
    if (thrown instanceof Deno.errors.BrokenPipe) return false;
    throw thrown;
  }
}

skippable("a server out of descriptors is back by itself, and has all it acknowledged", {
  need: () => Deno.build.os === "linux" ? needProgram("bash") : "needs Linux",
}, async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"), {
    args: ["--max-size", "none", "--access-log", "none"],
    program: ["bash", "-c", `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`, ...SOURCE_PROGRAM],
  });
  const port = portOf(server);
  const token = server.adminToken;
  await put(server, "/v1/entries/before", bodyOf(1, 700_000));
  const before = await processFacts(server.pid);
  const list = folder.join("acknowledged.json");
  const statuses = new Set<number>();
  {
    await using strangers = startLoad({ job: "drip", port, connections: STRANGERS, everyMs: 1000 });
    await until(() => /cannot accept connections/.test(server.log()), {
      ms: SETTLE_MS,
      why: "there are no descriptors left",
    });
    // While they hold on: a token holder is served all the same, sooner or later.
    const began = performance.now();
    for (let written = 0; written < loadOr(200, 30);) {
      try {
        const { status } = await ask(
          server,
          ["PUT", `/v1/entries/among/${written}`],
          bodyOf(written, 5000),
        );
        statuses.add(status);
        if (status === 201) written++;
      } catch (thrown) {
        // No place for this connection at the moment: it is refused or ended, as any stranger's.
        if (!(thrown instanceof TypeError)) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.ok(performance.now() - began < 60_000, "a token holder is never served");
    }
    await strangers.stop();
  }
  const left = performance.now();
  const served = async () => {
    // Each thread listens for itself: new connections in a row, so that all of them are met.
    for (let n = 0; n < IN_A_ROW; n++) if (!await servesAnew(port, token)) return false;
    return true;
  };
  await until(served, { ms: SETTLE_MS, why: "it is back by itself" });
  const backMs = performance.now() - left;
  const seen = await runLoad({
    job: "mix",
    port,
    token,
    connections: 16,
    seconds: loadOr(10, 2),
    vanishing: 0,
    seed: 3,
    first: 1000,
    writing: 0.5,
    sizes: [1024, 50_000, 400_000],
    list,
  });
  const back = await runLoad({ job: "read_back", port, token, connections: 4, list });
  const after = await settled(
    server.pid,
    (now) => now.descriptors <= before.descriptors + 8,
    SETTLE_MS,
  );
  console.info(
    `${DESCRIPTORS} descriptors, ${STRANGERS} strangers: writes among them were answered ` +
      `${[...statuses].join(", ")}; back ${
        backMs.toFixed(0)
      } ms after they left; then ${seen.requests} requests, ${back.read} bodies read ` +
      `back; descriptors before ${before.descriptors}, after ${after.descriptors}`,
  );
  assert.match(server.log(), /listening again/);
  assert.deepEqual([...statuses].filter((status) => ![201, 429, 503, 507].includes(status)), []);
  assert.deepEqual(seen.errors, {});
  assert.deepEqual([back.lost, back.wrong], [0, 0]);
  assert.equal(back.read, seen.acknowledged);
  for (let number = 0; number < loadOr(200, 30); number++) {
    assert.equal((await ask(server, ["GET", `/v1/entries/among/${number}`])).status, 200);
  }
  assert.equal((await ask(server, ["GET", "/v1/entries/before"])).status, 200);
  assert.ok(after.descriptors <= before.descriptors + 8, `${after.descriptors} descriptors`);
  assert.doesNotMatch(server.log(), /internal|thread ended/);
});
