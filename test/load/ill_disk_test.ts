/** A disk that fails for a while under a running server: errors from the kernel, put in by strace. */
import assert from "node:assert/strict";
import { OPEN_ROWS_MS } from "../../core/limits.ts";
import { startServer } from "../helpers/real_server.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { loadOr } from "./form.ts";
import { ask, until } from "./server.ts";

const WRITERS = 6;
const SIZES = [2_000, 90_000, 1_500_000];

for (const call of ["fdatasync", "pwrite64"]) {
  skippable(
    `EIO from ${call} for a while refuses writers with 503, and nothing acknowledged is lost`,
    {
      need: () => Deno.build.os === "linux" ? needProgram("strace") : "needs Linux",
    },
    async () => {
      await using folder = await tempDir();
      await using server = await startServer(folder.join("store"), {
        args: ["--max-size", "none", "--access-log", "none"],
      });
      const acknowledged: [number, number][] = [];
      const statuses: Record<string, number> = {};
      let number = 0;
      const write = async () => {
        const own = ++number;
        const size = SIZES[own % SIZES.length]!;
        const { status, headers, text } = await ask(
          server,
          ["PUT", `/v1/entries/ill/${own}`],
          bodyOf(own, size),
        );
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (status === 201) acknowledged.push([own, size]);
        else {
          assert.equal(status, 503, text);
          assert.ok(headers.has("retry-after"));
        }
        return status;
      };
      const stop = new AbortController();
      const writers = Array.from({ length: WRITERS }, async () => {
        while (!stop.signal.aborted) await write();
      });
      await until(() => acknowledged.length > 10, { ms: 20_000, why: "writes go well at first" });
      // What was acknowledged just before may lie in rows that can not be committed while it fails.
      await new Promise((resolve) => setTimeout(resolve, 2 * OPEN_ROWS_MS));
      const strace = new Deno.Command("strace", {
        args: ["-f", "-qq", "-p", `${server.pid}`, "-e", `trace=${call}`, "-e"]
          .concat([`inject=${call}:error=EIO`, "-o", "/dev/null"]),
      }).spawn();
      try {
        await until(() => (statuses[503] ?? 0) >= loadOr(50, 10), {
          ms: 20_000,
          why: "the disk is ill",
        });
        // What is there is read all the same.
        const [first] = acknowledged;
        assert.equal((await ask(server, ["GET", `/v1/entries/ill/${first![0]}`])).status, 200);
        // And what came just now is there, or nobody can tell; it is never a miss.
        const [late] = acknowledged.at(-1)!;
        const { status } = await ask(server, ["GET", `/v1/entries/ill/${late}`]);
        assert.ok([200, 503].includes(status), `${status}`);
      } finally {
        strace.kill("SIGINT");
        await strace.status;
      }
      const during = { ...statuses };
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 20, {
        ms: 20_000,
        why: "writes go on again",
      });
      stop.abort();
      await Promise.all(writers);
      const unwell = { ...statuses };
      for (let more = 0; more < 10; more++) assert.equal(await write(), 201);
      for (const [own, size] of acknowledged) {
        const answer = await fetch(`${server.url}/v1/entries/ill/${own}`, {
          headers: { authorization: `Bearer ${server.adminToken}` },
        });
        assert.equal(answer.status, 200, `${own}`);
        assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), bodyOf(own, size));
      }
      const verified = await ask(server, ["POST", "/v1/admin/verify"]);
      const { quarantined, lost, broken_entries, problems } = JSON.parse(verified.text);
      assert.deepEqual([quarantined, lost, broken_entries, problems], [0, 0, 0, []]);
      console.info(
        `${call}: ${JSON.stringify(during)} while it failed, ${JSON.stringify(unwell)} in all; ` +
          `${acknowledged.length} acknowledged, each read back whole`,
      );
    },
  );
}
