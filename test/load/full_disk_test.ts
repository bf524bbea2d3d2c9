/** A disk that fills while clients write, and has room again later: all without a restart. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { run, SOURCE_PROGRAM, startServer } from "../helpers/real_server.ts";
import { skippable } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "./bodies.ts";
import { ask, until } from "./server.ts";
import type { Reached } from "./server.ts";

const WRITERS = 8;
const KIB = 1024;
/** Small ones fit into gaps that large ones do not; the last is several chunks, sent as it is cut. */
const SIZES = [3 * KIB, 40 * KIB, 200 * KIB, 1500 * KIB];

/** What was acknowledged: where it is, its number and its size. */
type Written = readonly [target: string, number: number, size: number];

skippable("a disk that fills refuses writers with 507, serves readers, and takes writes again", {
  need: () => Promise.resolve(Deno.uid() === 0 ? undefined : "mounting a tmpfs needs root"),
}, async () => {
  await using folder = await tempDir();
  const mount = folder.join("small");
  await Deno.mkdir(mount);
  const mounted = await run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", mount]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    await Deno.writeFile(`${mount}/ballast`, new Uint8Array(64 * KIB * KIB));
    await using server = await startServer(`${mount}/store`, {
      args: ["--max-size", "none", "--access-log", "none"],
    });
    const written: Written[] = [];
    const answers: Record<string, number> = {};
    let number = 0;
    const write = async (native: boolean): Promise<number> => {
      const own = ++number;
      const size = SIZES[own % SIZES.length]!;
      const body = bodyOf(own, size);
      const target = native
        ? `/v1/entries/full/${own}`
        : `/cas/${createHash("sha256").update(body).digest("hex")}`;
      const { status, headers, text } = await ask(server, ["PUT", target], body);
      const what = `${native ? "native" : "bazel"} ${status}`;
      answers[what] = (answers[what] ?? 0) + 1;
      if (status === 200 || status === 201) written.push([target, own, size]);
      else {
        assert.equal(status, 507, text);
        assert.ok(headers.has("retry-after"));
      }
      return status;
    };
    /** Writers that go on until each kind was refused `refusals` times. */
    const fill = async (refusals: number) => {
      const refused = [0, 0];
      await Promise.all(Array.from({ length: WRITERS }, async (_, at) => {
        const native = at % 2 === 0;
        while (Math.min(...refused) < refusals) {
          if (await write(native) === 507) refused[at % 2]!++;
        }
      }));
    };
    await fill(20);
    const before = written.length;
    console.info(`until the disk was full: ${JSON.stringify(answers)}`);
    await readAll(server, written);

    await Deno.remove(`${mount}/ballast`);
    await until(async () => await write(true) === 201 && await write(false) === 200, {
      ms: 5_000,
      why: "writes go on once there is room",
    });
    for (let more = 0; more < 40; more++) assert.notEqual(await write(more % 2 === 0), 507);
    console.info(`with room again: ${JSON.stringify(answers)}`);
    // Full once more: what was written after the first time is as safe as what was before.
    await fill(5);
    await readAll(server, written);
    const verified = await ask(server, ["POST", "/v1/admin/verify"]);
    const { quarantined, lost, broken_entries, problems } = JSON.parse(verified.text);
    assert.deepEqual([quarantined, lost, broken_entries, problems], [0, 0, 0, []]);
    console.info(
      `${before} bodies acknowledged before the disk was full, ${written.length} in all: each read ` +
        `back whole, nothing lost; the same process served all along`,
    );
    assert.equal(await server.stop(), 0);
    await startsWhenFull(mount);
    const grown = await run(["mount", "-o", "remount,size=112m", mount]);
    assert.equal(grown.code, 0, grown.stderr);
    await using again = await startServer(`${mount}/store`, { args: ["--max-size", "none"] });
    await readAll(again, written);
  } finally {
    const unmounted = await run(["umount", mount]);
    assert.equal(unmounted.code, 0, unmounted.stderr);
  }
});

/** Not one byte is left: a start says so, and what to do. */
async function startsWhenFull(mount: string): Promise<void> {
  const ballast = `${mount}/ballast`;
  await run(["dd", "if=/dev/zero", `of=${ballast}`, "bs=4096"]);
  const args = ["serve", "--dir", `${mount}/store`, "--port", "0", "--max-size", "none"];
  const { code, stderr } = await run([...SOURCE_PROGRAM, ...args]);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /error: Cannot .*disk is full\)?\n.*hint: 0 bytes are free/);
  await Deno.remove(ballast);
}

async function readAll(server: Reached, written: readonly Written[]): Promise<void> {
  for (const [target, number, size] of written) {
    const answer = await fetch(server.url + target, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assert.equal(answer.status, 200, target);
    assert.deepEqual(bytes, bodyOf(number, size), target);
  }
}
