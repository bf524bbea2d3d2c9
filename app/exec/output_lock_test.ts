import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { listFiles, tempDir } from "../../test/helpers/temp.ts";
import type { OutputLock } from "./output_lock.ts";
import { lockOutputs } from "./output_lock.ts";

const never = new AbortController().signal;

/** Tries to lock; whoever has to wait is told apart from whoever has it. */
async function attempt(folder: string, paths: string[]): Promise<OutputLock | "waits"> {
  const stop = new AbortController();
  let waiting = false;
  const locked = lockOutputs(paths, {
    folder,
    clock: new ManualClock(),
    signal: stop.signal,
    onWait: () => {
      waiting = true;
      stop.abort(new Error("gave up"));
    },
  });
  try {
    return await locked;
  } catch (thrown) {
    if (!waiting) throw thrown;
    return "waits";
  }
}

Deno.test("lockOutputs keeps apart who writes the same path, or one above the other", async (t) => {
  const cases: [string[], string[], boolean][] = [
    [["/p/a.o"], ["/p/a.o"], true],
    [["/p/a.o"], ["/p/b.o"], false],
    [["/p/out"], ["/p/out/a.o"], true],
    [["/p/out/a.o"], ["/p/out"], true],
    [["/p/out/a.o"], ["/p/outer"], false],
    [["/p/b", "/p/a"], ["/p/c", "/p/b"], true],
    [["/p/out", "/p/out/a.o"], ["/p/x"], false],
  ];
  for (const [mine, theirs, apart] of cases) {
    await t.step(`${mine} and ${theirs}`, async () => {
      await using dir = await tempDir();
      {
        using _mine = await lockOutputs(mine, {
          folder: dir.path,
          clock: systemClock,
          signal: never,
        });
        const other = await attempt(dir.path, theirs);
        assert.equal(other === "waits", apart);
        if (other !== "waits") other[Symbol.dispose]();
      }
      const after = await attempt(dir.path, theirs);
      assert.ok(after !== "waits", "the lock was not given back");
      after[Symbol.dispose]();
    });
  }
});

Deno.test("lockOutputs waits for its turn, and says so", async () => {
  await using dir = await tempDir();
  const options = { folder: dir.path, clock: systemClock, signal: never };
  const first = await lockOutputs(["/p/a"], options);
  assert.equal(first.waited, false);
  let told = 0;
  const second = lockOutputs(["/p/a"], {
    ...options,
    onWait: () => {
      told++;
      first[Symbol.dispose]();
    },
  });
  using late = await second;
  assert.deepEqual([late.waited, told], [true, 1]);
});

Deno.test("lockOutputs sees a program that an earlier run left behind, and not a dead one", async () => {
  await using dir = await tempDir();
  const options = { folder: dir.path, clock: systemClock, signal: never };
  const child = new Deno.Command("sleep", { args: ["60"], stdin: "null" }).spawn();
  try {
    {
      using lock = await lockOutputs(["/p/a"], options);
      assert.equal(lock.strayed, false);
      lock.mark(child.pid);
      // As if the holder was killed: its file stays.
      const [name] = await marked(dir.path);
      await Deno.copyFile(dir.join(name!), dir.join("kept"));
      await Deno.rename(dir.join("kept"), dir.join(`${name}.later`));
    }
    const [later] = (await listFiles(dir.path)).filter((name) => name.endsWith(".later"));
    await Deno.rename(dir.join(later!), dir.join(later!.replace(".later", "")));
    {
      using lock = await lockOutputs(["/p/a"], { ...options, strayMs: 1 });
      assert.deepEqual([lock.strayed, lock.waited], [true, true]);
    }
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
});

Deno.test("lockOutputs leaves no file for an output behind", async () => {
  await using dir = await tempDir();
  {
    using _lock = await lockOutputs(["/p/q/a"], {
      folder: dir.path,
      clock: systemClock,
      signal: never,
    });
    assert.equal((await listFiles(dir.path)).length, 3);
  }
  // Those of the two folders above it are shared.
  assert.equal((await listFiles(dir.path)).length, 2);
});

Deno.test("the lock is given back though somebody cleaned its folder up, and another's file stays", async () => {
  await using dir = await tempDir();
  const options = { folder: dir.join("locks"), clock: systemClock, signal: never };
  const first = await lockOutputs(["/p/a"], options);
  await Deno.remove(options.folder, { recursive: true });
  const second = await lockOutputs(["/p/a"], options);
  first[Symbol.dispose]();
  assert.equal(await attempt(options.folder, ["/p/a"]), "waits", "the second one's is still there");
  await Deno.remove(options.folder, { recursive: true });
  second[Symbol.dispose]();
});

async function marked(folder: string): Promise<string[]> {
  const names = await listFiles(folder);
  const texts = await Promise.all(names.map((name) => Deno.readTextFile(`${folder}/${name}`)));
  return names.filter((_, n) => texts[n] !== "");
}
