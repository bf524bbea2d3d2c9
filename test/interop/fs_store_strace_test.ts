/** The order of system calls of one put: no other test can see a sync that is missing. */
import assert from "node:assert/strict";
import { needProgram, skippable } from "../helpers/skip.ts";
import { parseTrace } from "../helpers/strace.ts";
import type { TracedCall } from "../helpers/strace.ts";
import { tempDir } from "../helpers/temp.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const TRACED =
  "openat,openat2,rename,renameat,renameat2,fsync,fdatasync,link,linkat,mkdir,mkdirat,unlink,unlinkat";

/** A program that puts one object, from bytes or from a finished file. */
function program(folder: string, source: string): string {
  return `
    import { openFsStore } from "${ROOT}store/fs/fs_store.ts";
    import { bytesSource } from "${ROOT}core/bytes.ts";
    const store = await openFsStore("${folder}");
    await store.put("data/ab/object", ${source});
  `;
}

/** The calls below `folder` that succeeded, in the order in which they ended. */
async function trace(folder: string, code: string): Promise<TracedCall[]> {
  await using dir = await tempDir();
  await Deno.writeTextFile(dir.join("put.ts"), code);
  const deno = [Deno.execPath(), "run", "-A", "--no-check", dir.join("put.ts")];
  const args = ["-f", "-y", "-s", "300", "-e", `trace=${TRACED}`, "-o", dir.join("trace"), ...deno];
  const { success, stderr } = await new Deno.Command("strace", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return parseTrace(await Deno.readTextFile(dir.join("trace")), folder);
}

/** Where the first call is that fits, from `from` on; fails if there is none. */
function find(calls: TracedCall[], from: number, name: RegExp, path: RegExp): number {
  const at = calls.findIndex((call, i) =>
    i >= from && name.test(call.name) && call.paths.some((one) => path.test(one))
  );
  const shown = calls.map((call) => `${call.name} ${call.paths.join(" ")}`).join("\n");
  assert.ok(at >= 0, `no ${name} of ${path} behind call ${from} of\n${shown}`);
  return at;
}

const SYNC = /^(fsync|fdatasync)$/;
const TEMP = /^\/\.tmp\/data-ab-object\.[0-9a-f]{16}(\.link)?$/;

/** What holds for every put into an empty store. */
function assertOrder(calls: TracedCall[]): void {
  const renames = calls.filter(({ name }) => name === "rename");
  assert.equal(renames.length, 1, "one rename");
  const area = find(calls, 0, /^mkdir$/, /^\/data$/);
  find(calls, area, SYNC, /^\/?$/);
  const hex = find(calls, area, /^mkdir$/, /^\/data\/ab$/);
  const parent = find(calls, hex, SYNC, /^\/data$/);
  const data = find(calls, 0, SYNC, TEMP);
  const rename = find(calls, data, /^rename$/, /^\/data\/ab\/object$/);
  assert.ok(parent < rename, "the new folder is durable before the object is in it");
  assert.match(calls[rename]!.paths[0]!, TEMP);
  find(calls, rename, SYNC, /^\/data\/ab$/);
}

const need = () => needProgram("strace");

skippable(
  "fs put syncs the file, renames it, and syncs its folder, in this order",
  { need },
  async () => {
    await using dir = await tempDir();
    const folder = dir.join("store");
    const calls = await trace(folder, program(folder, "bytesSource(new Uint8Array(1000))"));
    assertOrder(calls);
    assert.ok(!calls.some(({ name }) => name === "link"), "a store must work without links");
  },
);

skippable("fs put of a finished file syncs it before it is renamed", { need }, async () => {
  await using dir = await tempDir();
  const folder = dir.join("store");
  const finished = dir.join("finished");
  await Deno.writeFile(finished, new Uint8Array(1000));
  const source =
    `{ size: 1000, replayable: true, path: "${finished}", open() { throw new Error("copied"); } }`;
  const calls = await trace(folder, program(folder, source));
  const link = find(calls, 0, /^link$/, TEMP);
  const data = find(calls, link, SYNC, TEMP);
  assert.ok(data < find(calls, link, /^rename$/, TEMP));
  assertOrder(calls);
});
