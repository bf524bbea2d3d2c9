/** The recorder of power cuts misses nothing: strace sees the same calls, and no other. */
import assert from "node:assert/strict";
import { buildRecorder, readRecord, recorderEnv } from "../crash/record.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { parseTrace } from "../helpers/strace.ts";
import { tempDir } from "../helpers/temp.ts";

const TRACED = "%desc,%file";

/** Calls that change a file, by the name that the recorder has for them. */
const CHANGES: Readonly<Record<string, string>> = {
  write: "write",
  writev: "write",
  pwrite: "write",
  pwritev: "write",
  ftruncate: "truncate",
  truncate: "truncate",
  fallocate: "allocate",
  rename: "rename",
  link: "link",
  unlink: "unlink",
  mkdir: "mkdir",
  rmdir: "rmdir",
  sendfile: "unknown to the recorder",
  copy_file_range: "unknown to the recorder",
  // The recorder does not pass them on: one that is seen went past it.
  fsync: "went past the recorder",
  fdatasync: "went past the recorder",
  sync_file_range: "went past the recorder",
};

skippable(
  "the recorder of power cuts sees every change that a store makes",
  { need: async () => await needProgram("strace") ?? await needProgram("gcc") },
  async () => {
    await using folder = await tempDir();
    const dir = folder.join("store");
    const [record, trace] = [folder.join("record"), folder.join("trace")];
    const library = await buildRecorder(folder.path);
    const env = recorderEnv({ library, record, dir, kill: undefined });
    // strace itself is not to be recorded.
    const sets = Object.entries(env).flatMap(([name, value]) => ["-E", `${name}=${value}`]);
    const worker = [
      Deno.execPath(),
      "run",
      "-A",
      "--no-check",
      fromFileUrl("../crash/crash_work.ts"),
    ];
    const command = new Deno.Command("strace", {
      args: [
        "-f",
        "-y",
        "-s",
        "300",
        "--seccomp-bpf",
        "-e",
        `trace=${TRACED}`,
        "-o",
        trace,
        ...sets,
      ]
        .concat(worker, [dir, "7", "1", String(8 * 1024 * 1024)]),
    });
    const { success, stderr } = await command.output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const count = (calls: readonly (readonly [string, string])[]) => {
      const counts = new Map<string, number>();
      for (const call of calls) counts.set(call.join(" "), (counts.get(call.join(" ")) ?? 0) + 1);
      return Object.fromEntries([...counts].sort());
    };
    const seen = parseTrace(await Deno.readTextFile(trace), dir)
      // What the recorder itself writes down names files as well.
      .filter(({ args }) => !/^\d+</.test(args) || args.includes(`<${dir}`))
      .filter(({ name, paths }) => CHANGES[name] && !paths.at(-1)!.endsWith("-shm"))
      .map(({ name, paths }) => [CHANGES[name]!, paths.at(-1)!.slice(1)] as const);
    const recorded = readRecord(await Deno.readFile(record), dir)
      .filter(({ name }) => Object.values(CHANGES).includes(name))
      .map(({ name, path, other }) => [name, other || path] as const);
    assert.ok(recorded.length > 500, `only ${recorded.length} changes were recorded`);
    assert.deepEqual(count(recorded), count(seen));
  },
);
