/** `exec` that is interrupted, or killed at any moment. */
import assert from "node:assert/strict";
import { ExecProject } from "../helpers/exec_project.ts";
import { longOr } from "../helpers/long.ts";
import { seededRandom } from "../helpers/random.ts";
import { run, startServer } from "../helpers/real_server.ts";
import { systemClock } from "../../core/clock.ts";
import { tempDir } from "../helpers/temp.ts";

const FILES = 6;
const BYTES = 600_000;

/** Writes `out/0` to `out/5`, each of one letter, slowly enough to be met half-way. */
function writing(letter: string): string[] {
  const line = `mkdir -p out; n=0; while [ $n -lt ${FILES} ]; do ` +
    `head -c ${BYTES} /dev/zero | tr '\\0' ${letter} > out/$n; n=$((n+1)); done; echo ${letter}`;
  return ["--output", "out", "--", "sh", "-c", line];
}

/** The letter that a file is of; throws for one that is cut or mixed. */
async function letterOf(project: ExecProject, name: string): Promise<string> {
  const bytes = await project.read(`out/${name}`);
  const letter = String.fromCharCode(bytes[0] ?? 0);
  assert.equal(bytes.length, BYTES, `${name} is cut`);
  assert.ok(bytes.every((byte) => byte === bytes[0]), `${name} is mixed`);
  return letter;
}

async function letters(project: ExecProject): Promise<string> {
  const names = Array.from({ length: FILES }, (_, n) => `${n}`);
  return (await Promise.all(names.map((name) => letterOf(project, name)))).join("");
}

Deno.test("exec killed at any moment leaves each output old or new, and stores nothing half", async (t) => {
  await using dir = await tempDir();
  await using server = await startServer(dir.join("store"));
  const project = await ExecProject.create(dir, {
    VITTE_CACHE_URL: server.url,
    VITTE_TOKEN: server.adminToken,
  });
  const random = seededRandom("VITTE_EXEC_SEED");
  const kill = async (args: string[]) => {
    const child = project.spawn(args);
    await systemClock.sleep(random.next() * 220);
    try {
      child.kill("SIGKILL");
    } catch (thrown) {
      if (!(thrown instanceof TypeError)) throw thrown; // it was done already
    }
    return (await child.status).signal === "SIGKILL";
  };
  for (const letter of ["a", "b"]) {
    assert.equal((await project.exec(writing(letter))).report?.stored, true);
  }
  let killed = 0;
  let inDoubt = 0;
  await t.step("while it brings outputs back", async () => {
    let before = "b".repeat(FILES);
    for (let round = 0; round < longOr(80, 14); round++) {
      const letter = round % 2 === 0 ? "a" : "b";
      if (await kill(writing(letter))) killed++;
      const after = await letters(project);
      for (let n = 0; n < FILES; n++) {
        assert.ok([before[n], letter].includes(after[n]), `${before} became ${after}`);
      }
      before = after;
    }
    const whole = await project.exec(writing("a"));
    assert.deepEqual([whole.report?.result, whole.stdout], ["hit", "a\n"], whole.stderr);
    assert.equal(await letters(project), "a".repeat(FILES));
  });
  await t.step("while the program runs, or its result is stored", async () => {
    for (let round = 0; round < longOr(60, 10); round++) {
      const letter = String.fromCharCode("c".charCodeAt(0) + (round % 20));
      const salt = ["--salt", `${round}`];
      if (await kill([...salt, ...writing(letter)])) killed++;
      // What was left behind still writes, and is waited for.
      const next = await project.exec([...salt, ...writing(letter)]);
      assert.deepEqual([next.code, next.stdout], [0, `${letter}\n`], next.stderr);
      assert.equal(await letters(project), letter.repeat(FILES));
      await Deno.remove(project.file("out"), { recursive: true });
      const again = await project.exec([...salt, ...writing(letter)]);
      assert.equal(await letters(project), letter.repeat(FILES));
      // Killed before it had noted its program's number, it left one behind that nobody can wait
      // for: the run beside it is in doubt then, and not stored. The next one is.
      const doubted = next.report?.result === "ran" && !next.report.stored;
      if (doubted) inDoubt++;
      const wanted = doubted ? ["ran", true] : ["hit", undefined];
      const { result, stored } = again.report ?? {};
      assert.deepEqual([result, result === "hit" ? undefined : stored], wanted, again.stderr);
    }
    assert.ok(inDoubt <= Math.max(1, killed / 20), `${inDoubt} runs were in doubt`);
  });
  console.log(`  killed ${killed} times before the end`);
  assert.ok(killed > 5, "the kills all came too late");
  const verified = await run([project.program, "verify", "--json"], {
    env: { VITTE_CACHE_URL: server.url, VITTE_TOKEN: server.adminToken },
  });
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});

Deno.test("exec hands Ctrl-C and SIGTERM on and ends as the program does", async () => {
  await using dir = await tempDir();
  const project = await ExecProject.create(dir, {});
  const cases: [string, Deno.Signal, number][] = [
    ["exec sleep 30", "SIGINT", 130],
    ["exec sleep 30", "SIGTERM", 143],
    ["trap 'exit 41' INT; while :; do sleep 0.02; done", "SIGINT", 41],
    ["trap 'exit 0' INT; while :; do sleep 0.02; done", "SIGINT", 130],
  ];
  for (const [line, signal, status] of cases) {
    const began = performance.now();
    const child = project.spawn(["--", "sh", "-c", `touch started; ${line}`]);
    while (!await Deno.stat(project.file("started")).catch(() => undefined)) {
      await systemClock.sleep(10);
    }
    await systemClock.sleep(50);
    child.kill(signal);
    assert.equal((await child.status).code, status, `${line} ${signal}`);
    assert.ok(performance.now() - began < 20_000, "it waited for the end of the program");
    await Deno.remove(project.file("started"));
  }
});
