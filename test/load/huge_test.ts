/** A blob larger than any memory, up and down: the server's memory stays flat. */
import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { startServer } from "../helpers/real_server.ts";
import { skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import { runLoad } from "./client_process.ts";
import { LOAD } from "./form.ts";
import { MemoryCurve, processFacts } from "./process_facts.ts";
import { portOf } from "./server.ts";

const GIB = 1024 ** 3;
const SIZE_GIB = Number(Deno.env.get("VITTE_HUGE_GIB") ?? (LOAD ? 20 : 0.25));
const SIZE = SIZE_GIB * GIB;
/** Where the collector of the runtime comes to rest; what is alive is a tenth of it. */
const MEMORY_LIMIT_MB = 450;
const TARGET = "/v1/entries/huge";

skippable(`${SIZE_GIB} GiB go up and down in flat memory`, {
  need: () => Promise.resolve(roomFor(SIZE * 1.1)),
}, async () => {
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"), {
    args: ["--max-size", "none", "--max-blob-size", `${Math.ceil(SIZE_GIB)}GiB`],
  });
  const job = {
    job: "huge",
    port: portOf(server),
    token: server.adminToken,
    target: TARGET,
    pid: server.pid,
  } as const;
  for (const method of ["PUT", "GET"] as const) {
    using curve = new MemoryCurve(server.pid, 100);
    const seen = await runLoad({ ...job, method, size: SIZE });
    const { status, bytes, seconds, wrong, digest } = seen;
    console.info(
      `${method} of ${SIZE_GIB} GiB: ${seconds.toFixed(0)} s, ` +
        `${(bytes / 1e6 / seconds).toFixed(0)} MB/s; sha256 ${digest}; ` +
        `memory after each GiB (MB): ${seen.memoryMb.join(" ")}`,
    );
    assert.deepEqual({ status, bytes, wrong }, {
      status: method === "PUT" ? 201 : 200,
      bytes: SIZE,
      wrong: 0,
    });
    // What the server says it has is what was sent, and what came back.
    assert.match(seen.head, new RegExp(`\\r\\netag: "[a-z0-9-]*${digest}"`));
    const half = Math.floor(curve.points.length / 2);
    // Of each half the middle: how high a single point is, is up to when a heap was collected, and
    // has a limit of its own below.
    const middle = (points: readonly number[]) =>
      points.toSorted((a, b) => a - b)[points.length >> 1]!;
    // A short run is over before the runtime has what it keeps.
    if (half > 50) {
      const [early, late] = [middle(curve.points.slice(0, half)), middle(curve.points.slice(half))];
      assert.ok(late < early * 1.15 + 20, `memory grows with what has gone through: ${late} MB`);
    }
  }
  const { peakMb } = await processFacts(server.pid);
  console.info(`peak memory ${peakMb.toFixed(0)} MB`);
  assert.ok(peakMb < MEMORY_LIMIT_MB, `peak memory ${peakMb} MB`);
});

/** Why so many bytes can not be written where temporary files go; `undefined` if they can. */
function roomFor(bytes: number): string | undefined {
  const { bavail, bsize } = statfsSync(Deno.env.get("TMPDIR") || "/tmp");
  const free = bavail * bsize;
  if (free > bytes) return undefined;
  return `${(free / GIB).toFixed(1)} GiB are free, want ${(bytes / GIB).toFixed(1)}`;
}
