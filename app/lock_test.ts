import assert from "node:assert/strict";
import { isKind } from "../core/errors.ts";
import { ROOT } from "../test/helpers/paths.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { lockFolder } from "./lock.ts";

Deno.test("lockFolder refuses a second holder and names the first one's process", async () => {
  await using dir = await tempDir();
  await using other = await holder(dir.path);
  await assert.rejects(
    lockFolder(dir.path, "me"),
    (error) =>
      isKind(error, "conflict") && error.message.includes(`process ${other.pid} has it open`) &&
      error.message.includes(dir.path) && error.hint!.includes("--url"),
  );
});

Deno.test("lockFolder takes the lock of a holder that was killed", async () => {
  await using dir = await tempDir();
  {
    await using _other = await holder(dir.path);
  }
  using _lock = await lockFolder(dir.path, "process 7");
  assert.equal(await Deno.readTextFile(dir.join("lock")), "process 7\n");
});

Deno.test("lockFolder gives it back when disposed, and disposing twice is fine", async () => {
  await using dir = await tempDir();
  const first = await lockFolder(dir.path, "process 1, with a long name");
  await assert.rejects(lockFolder(dir.path, "process 2"), /process 1, with a long name has it/);
  first[Symbol.dispose]();
  using second = await lockFolder(dir.path, "process 2");
  first[Symbol.dispose]();
  await assert.rejects(lockFolder(dir.path, "process 3"), /process 2 has it open/);
  assert.equal(await Deno.readTextFile(dir.join("lock")), "process 2\n");
  assert.equal((await Deno.stat(dir.join("lock"))).mode! & 0o777, 0o600);
  second[Symbol.dispose]();
});

Deno.test("lockFolder keeps a second holder out though the first one's file was deleted", async () => {
  await using dir = await tempDir();
  {
    await using _other = await holder(dir.path);
    await Deno.remove(dir.join("lock"));
    const refused = (error: unknown) => isKind(error, "conflict");
    await assert.rejects(lockFolder(dir.path, "process 2"), refused);
    // Nor is the file that this attempt left behind a way in.
    await assert.rejects(lockFolder(dir.path, "process 3"), refused);
  }
  using _lock = await lockFolder(dir.path, "process 4");
  assert.equal(await Deno.readTextFile(dir.join("lock")), "process 4\n");
});

Deno.test("lockFolder shows nothing of a strange lock file but printable text", async () => {
  await using dir = await tempDir();
  using _lock = await lockFolder(dir.path, `\x1b[2J\u202e${"x".repeat(500)}\nsecond line`);
  await assert.rejects(lockFolder(dir.path, "me"), (error: Error) => {
    assert.match(error.message, /^[\x20-\x7e]*$/);
    assert.ok(!error.message.includes("second line"));
    return error.message.length < 400;
  });
});

/** A process that holds the lock until it is killed. */
async function holder(dir: string): Promise<AsyncDisposable & { readonly pid: number }> {
  const code = `import { lockFolder } from ${JSON.stringify(`file://${ROOT}/app/lock.ts`)};
    await lockFolder(${JSON.stringify(dir)}, "process " + Deno.pid);
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--config", `${ROOT}/deno.json`, code],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert.equal(new TextDecoder().decode(value), "held\n");
  return {
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    },
  };
}
