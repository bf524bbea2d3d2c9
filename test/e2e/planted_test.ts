/**
 * Mistakes planted in a copy of the project, one at a time: for each, the test that is there to find
 * it must fail, and say why.
 */
import assert from "node:assert/strict";
import { ROOT } from "../helpers/paths.ts";
import { needProgram, requireOrSkip } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";

interface Plant {
  readonly file: string;
  /** What stands there, once. */
  readonly good: string;
  readonly bad: string;
  /** The test file that finds it, the words its test's name holds, and what it says. */
  readonly test: string;
  readonly filter: string;
  readonly says: RegExp;
  readonly env?: Readonly<Record<string, string>>;
}

const ORDER = {
  test: "test/interop/serve_order_strace_test.ts",
  filter: "serve answers a PUT",
};

const PLANTS: Readonly<Record<string, Plant>> = {
  "a missing fdatasync of what was appended": {
    file: "store/pack/active.ts",
    good: "      before?.();\n      this.#file.sync();\n",
    bad: "      before?.();\n",
    ...ORDER,
    says: /not synced before/,
  },
  "a log that is written while its data is not synced": {
    file: "store/pack/round.ts",
    good: `    settle(pack, "data");\n`,
    bad: "",
    ...ORDER,
    says: /data not synced before the log/,
  },
  "an acknowledge before the log is durable": {
    file: "index/sqlite/rounds.ts",
    good: "      if (records > 0) await this.#store(",
    bad:
      "      for (const { waiting, decided } of accepted) waiting.done.resolve(decided.outcome);\n" +
      "      if (records > 0) await this.#store(",
    test: "test/e2e/kill_points_test.ts",
    filter: "engine: killed",
    says: /acknowledged and lost|that it must not have/,
    env: { VITTE_CRASH_KILLS: "40" },
  },
  "a pack that is given its name before its bytes are synced": {
    file: "store/pack/seal.ts",
    good: `    pack.fault("seal.before_sync");\n    file.sync();\n`,
    bad: "",
    ...ORDER,
    says: /is synced before it is packs/,
  },
  "a pack that is deleted before the tables forgot it for good": {
    file: "store/pack/drop.ts",
    good: "    return lost;\n  }, { durable: true });\n",
    bad: "    return lost;\n  });\n",
    ...ORDER,
    says: /the tables forget/,
  },
  "a read that is not verified": {
    file: "codec/record.ts",
    good: " &&\n    uint32At(bytes, offset + 48) === crc32(bytes.subarray(body, body + stored));\n",
    bad: ";\n",
    test: "test/fault/pack_damage_test.ts",
    filter: "a flip of any byte is a miss",
    says: /AssertionError/,
  },
};

/** Copies what a test may need. */
async function copyProject(to: string, from = ROOT): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory, isFile } of Deno.readDir(from)) {
    if (/^(\.git|\.cache|node_modules|coverage|build)$/.test(name)) continue;
    if (isDirectory) await copyProject(`${to}/${name}`, `${from}/${name}`);
    else if (isFile) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

async function runTest(dir: string, { test, filter, env }: Plant) {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--filter", filter, test],
    cwd: dir,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { success, said: text.decode(stdout) + text.decode(stderr) };
}

Deno.test("each planted mistake is found by a test, and there is none without it", async (t) => {
  if (!requireOrSkip(t, await needProgram("strace") ?? await needProgram("gcc"))) return;
  await using dir = await tempDir();
  await copyProject(dir.path);
  for (const [what, plant] of Object.entries(PLANTS)) {
    await t.step(what, async () => {
      const path = dir.join(plant.file);
      const text = await Deno.readTextFile(path);
      assert.equal(text.split(plant.good).length, 2, `${plant.file} no longer says: ${plant.good}`);
      await Deno.writeTextFile(path, text.replace(plant.good, () => plant.bad));
      const { success, said } = await runTest(dir.path, plant);
      await Deno.writeTextFile(path, text);
      assert.equal(success, false, `${plant.test} does not see it:\n${said}`);
      assert.match(said, plant.says);
    });
  }
  await t.step("without any", async () => {
    for (const plant of [PLANTS["a read that is not verified"]!, Object.values(PLANTS)[0]!]) {
      const { success, said } = await runTest(dir.path, plant);
      assert.equal(success, true, said);
    }
  });
});
