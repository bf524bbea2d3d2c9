/** `exec` with a real compiler and a real server. */
import assert from "node:assert/strict";
import type { ExecPlace } from "../helpers/exec_project.ts";
import { ExecProject } from "../helpers/exec_project.ts";
import { needProgram, requireOrSkip } from "../helpers/skip.ts";
import { run, startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import type { TempDir } from "../helpers/temp.ts";

const COMPILE = [
  ...["--input", "main.c", "*.h", "--output", "main.o", "--env", "FLAGS"],
  ...["--", "cc", "-c", "main.c", "-o", "main.o"],
];

/** A project against a server of its own. */
async function withProject(
  t: Deno.TestContext,
  work: (project: ExecProject, server: RealServer, dir: TempDir) => Promise<void>,
): Promise<void> {
  if (!requireOrSkip(t, await needProgram("gcc"))) return;
  await using dir = await tempDir();
  await using server = await startServer(dir.join("store"), { args: ["--access-log", "all"] });
  const store = { VITTE_CACHE_URL: server.url, VITTE_TOKEN: server.adminToken };
  await work(await ExecProject.create(dir, store), server, dir);
}

Deno.test("exec of a compiler: each change is a miss, all else is a hit", async (t) => {
  await withProject(t, async (project, _server, dir) => {
    let runs = 0;
    /** Runs the step and compares what it did with what it had to do. */
    const step = async (
      name: string,
      wanted: "hit" | "ran",
      place: ExecPlace = project.place(),
      args: readonly string[] = COMPILE,
    ) => {
      await t.step(`${name}: ${wanted}`, async () => {
        const ran = await project.exec(args, place);
        assert.equal(ran.code, 0, ran.stderr);
        assert.deepEqual([ran.report?.result, ran.report?.stored], [wanted, true], ran.stderr);
        runs += wanted === "ran" ? 1 : 0;
        assert.equal(await project.runs(), runs);
        assert.equal(ran.said, "a warning\n");
        assert.match(ran.stdout, /^compiles/);
      });
    };
    await step("the first time", "ran");
    const object = await project.read("main.o");
    const mode = (await Deno.stat(project.file("main.o"))).mode;
    await Deno.remove(project.file("main.o"));
    await step("the output is gone", "hit");
    assert.deepEqual(await project.read("main.o"), object);
    assert.equal((await Deno.stat(project.file("main.o"))).mode, mode);

    await project.write("lib.h", "#define ANSWER 43\n");
    await step("an input is edited", "ran");
    assert.notDeepEqual(await project.read("main.o"), object);
    await project.write("lib.h", "#define ANSWER 42\n");
    await step("the edit is undone", "hit");
    assert.deepEqual(await project.read("main.o"), object);
    await Deno.chmod(project.file("lib.h"), 0o755);
    await step("an input may be run", "ran");
    await Deno.chmod(project.file("lib.h"), 0o644);
    await project.write("more.h", "");
    await step("one more file matches", "ran");
    await Deno.remove(project.file("more.h"));

    await project.script("other", "exit 1");
    await step("a program that is not used is new in PATH", "hit");
    await project.compiler("earlier", "compiles, too");
    await step("another compiler is earlier in PATH", "ran", project.place({}, ["earlier", "bin"]));
    await step("the first compiler again", "hit");

    await step("a chosen variable is set", "ran", project.place({ FLAGS: "-O2" }));
    await step("that again", "hit", project.place({ FLAGS: "-O2" }));
    await step("it is empty, which is not unset", "ran", project.place({ FLAGS: "" }));
    await step("another variable is set", "hit", project.place({ OTHER: "1" }));
    await step("another salt", "ran", project.place(), ["--salt", "2", ...COMPILE]);

    const copy = dir.join("copy");
    await run(["cp", "-r", project.path, copy]);
    await Deno.remove(`${copy}/main.o`);
    await step("another checkout", "hit", { ...project.place(), cwd: copy });
    assert.deepEqual(await Deno.readFile(`${copy}/main.o`), object);
    await Deno.mkdir(`${copy}/deep`);
    await run(["sh", "-c", `mv ${copy}/*.c ${copy}/*.h ${copy}/deep`]);
    await step("another folder of the project", "ran", { ...project.place(), cwd: `${copy}/deep` });
  });
});

Deno.test("exec of what fails or is killed tells its status and stores nothing", async (t) => {
  await withProject(t, async (project) => {
    await project.write("main.c", "int answer(void) { return };\n");
    for (const round of [1, 2]) {
      const failed = await project.exec(COMPILE);
      assert.deepEqual([failed.code, failed.report?.stored], [1, false], failed.stderr);
      assert.match(failed.said, /error: expected expression/);
      assert.equal(await project.runs(), round);
    }
    for (const [line, status] of [["exit 42", 42], ["kill -9 $$", 137], ["kill -15 $$", 143]]) {
      for (let round = 0; round < 2; round++) {
        const ran = await project.exec(["--", "sh", "-c", String(line)]);
        assert.deepEqual([ran.code, ran.report?.result, ran.report?.stored], [
          status,
          "ran",
          false,
        ]);
      }
    }
  });
});

Deno.test("exec's own mistakes are 125, 126 and 127, and nothing is run", async (t) => {
  await withProject(t, async (project) => {
    await project.write("data", "no program");
    const cases: [string[], number, RegExp][] = [
      [[], 125, /no command is given/],
      [["cc"], 125, /too many arguments/],
      [["--"], 125, /no command is given/],
      [["--frobnicate", "--", "cc"], 125, /unknown option '--frobnicate'/],
      [["--input", "*.nothing", "--", "cc"], 125, /"\*\.nothing": no file matches/],
      [["--output", "../elsewhere", "--", "cc"], 125, /not below the project's root/],
      [["--env", "A=b", "--", "cc"], 125, /no name of a variable/],
      [["--on-error", "panic", "--", "cc"], 125, /Allowed choices are warn, fail/],
      [["--namespace", "No Such", "--", "cc"], 125, /is no namespace/],
      [["--", "./data"], 126, /may not be executed/],
      [["--", "no-such-program"], 127, /no such program/],
    ];
    for (const [args, code, said] of cases) {
      const ran = await project.exec(args);
      assert.equal(ran.code, code, args.join(" ") + ran.stderr);
      assert.match(ran.stderr, said);
      assert.equal(ran.stdout, "");
    }
    assert.equal(await project.runs(), 0);
  });
});

Deno.test("exec hands standard input and words on as they are", async (t) => {
  await withProject(t, async (project) => {
    const place = project.place();
    const words = ["--json", "--", "-x", "a b", "", "$HOME", "*"];
    const show = 'cat; for word; do echo "[$word]"; done';
    const ran = await run([project.program, "exec", "--", "sh", "-c", show, "sh", ...words], {
      ...place,
      env: { ...place.env },
      stdin: new TextEncoder().encode("from a pipe\n"),
    });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stdout, ["from a pipe", ...words.map((word) => `[${word}]`), ""].join("\n"));
    assert.equal(ran.stderr, "");
  });
});

Deno.test("exec of a command that writes no file is one question on a hit", async (t) => {
  await withProject(t, async (project, server) => {
    const args = ["--input", "*.c", "*.h", "--", "true"];
    assert.equal((await project.exec(args)).report?.result, "ran");
    const before = server.log().split("\n").length;
    const times: number[] = [];
    for (let n = 0; n < 5; n++) {
      const began = performance.now();
      assert.equal((await project.exec(args)).report?.result, "hit");
      times.push(performance.now() - began);
    }
    const asked = server.log().split("\n").slice(before - 1).filter((line) => line !== "");
    assert.equal(asked.length, 5, asked.join("\n"));
    console.log(`  a hit without outputs: ${Math.round(times.sort((a, b) => a - b)[2]!)} ms`);
  });
});

Deno.test("exec --no-store-output stores no word of what was printed", async (t) => {
  await withProject(t, async (project) => {
    const args = [
      "--no-store-output",
      "--input",
      "*.c",
      "--",
      "sh",
      "-c",
      "echo $RANDOM; date >&2",
    ];
    assert.equal((await project.exec(args)).report?.result, "ran");
    const hit = await project.exec(args);
    assert.deepEqual([hit.report?.result, hit.stdout, hit.said], ["hit", "", ""]);
  });
});

Deno.test("exec keeps values of variables only as keyed digests", async (t) => {
  await withProject(t, async (project, server) => {
    const place = project.place({ FLAGS: "-DPASSPHRASE" });
    const { report } = await project.exec(COMPILE, place);
    const answer = await fetch(`${server.url}/v1/info/${report!.key}?protocol=exec`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    const text = await answer.text();
    const { inputs, cost, scope } = JSON.parse(text);
    assert.deepEqual(Object.keys(inputs).sort(), [
      "command",
      "env:FLAGS",
      "executable",
      "folder",
      "input:lib.h",
      "input:main.c",
      "outputs",
      "platform",
    ]);
    assert.ok(!text.includes("PASSPHRASE"), text);
    assert.ok(cost > 0);
    assert.equal(scope, "main");
  });
});

Deno.test("exec stores nothing that holds a secret, that the run did not make, or that is in doubt", async (t) => {
  await withProject(t, async (project, server) => {
    const token = `vrc_0123456789abcdef_${"A".repeat(43)}_${"Q".repeat(43)}`;
    const place = project.place({ API_KEY: "hunter2-hunter2", PIN: "1234", OTHER_TOKEN: token });
    const sh = (line: string, ...options: string[]) => [...options, "--", "sh", "-c", line];
    const cases: Record<string, [string[], RegExp]> = {
      "a secret on standard output": [
        sh("printf hunter2; sleep 0.05; printf -- -hunter2", "--secret-env", "API_KEY"),
        /^API_KEY is in what it printed$/,
      ],
      "a secret on standard error": [
        sh("echo $API_KEY >&2", "--secret-env", "API_KEY"),
        /^API_KEY is in what it printed$/,
      ],
      "a secret in a file": [
        sh(
          "head -c 300000 /dev/zero > out; printf $API_KEY >> out; head -c 300000 /dev/zero >> out",
          ...["--output", "out", "--secret-env", "API_KEY"],
        ),
        /^API_KEY is in its output .*\/out$/,
      ],
      "a secret in the name of a file": [
        sh("mkdir d; touch d/$API_KEY", "--output", "d", "--secret-env", "API_KEY"),
        /^API_KEY is in the name of an output$/,
      ],
      "a secret in a link": [
        sh("mkdir l; ln -s $API_KEY l/x", "--output", "l", "--secret-env", "API_KEY"),
        /^API_KEY is in its output/,
      ],
      "our own token": [sh("echo $VITTE_TOKEN"), /^the token is in what it printed$/],
      "anybody's token": [
        sh("echo token=$OTHER_TOKEN > t", "--output", "t"),
        /^a token is in its output .*\/t$/,
      ],
      "a secret too short to be found": [
        sh("true", "--secret-env", "PIN"),
        /^PIN is too short to be searched for/,
      ],
      "an output that it did not write": [
        sh("true", "--output", "old"),
        /\/old is older than the run, which did not write it$/,
      ],
      "a folder with a file that it did not write": [
        sh("date > tree/new", "--output", "tree"),
        /\/tree\/old is older than the run/,
      ],
      "an output that it did not make": [
        sh("true", "--output", "nothing"),
        /^it did not make its output .*\/nothing$/,
      ],
      "inputs that it changed itself": [
        sh("echo '// changed' >> main.c; date > o", "--input", "*.c", "--output", "o"),
        /^its inputs changed while it ran$/,
      ],
      "an input that is new": [
        sh("touch brand-new.h", "--input", "*.h"),
        /^its inputs changed while it ran$/,
      ],
      "the program itself": [
        ["--", "./self"],
        /^its inputs changed while it ran$/,
      ],
      "more than is kept": [
        sh("head -c 17000000 /dev/zero"),
        /^it printed more than is kept$/,
      ],
      "a process that still prints": [
        sh("sleep 3 & true"),
        /^a process that it left behind still has its output open$/,
      ],
    };
    await project.write("old", "from before");
    await Deno.mkdir(project.file("tree"));
    await project.write("tree/old", "from before");
    await project.write("self", "#!/bin/sh\necho '# more' >> ./self\n");
    await Deno.chmod(project.file("self"), 0o755);
    for (const [name, [args, reason]] of Object.entries(cases)) {
      await t.step(name, async () => {
        const ran = await project.exec(args, place);
        assert.equal(ran.code, 0, ran.stderr);
        assert.deepEqual([ran.report?.result, ran.report?.stored], ["ran", false], ran.stderr);
        assert.match(ran.report?.reason ?? "", reason);
        assert.match(ran.said, /warning: the run is not stored: /);
        assert.doesNotMatch(JSON.stringify(ran.report), /hunter2|vrc_/);
        const warning = ran.said.split("\n").filter((line) => line.includes("warning:"));
        assert.doesNotMatch(warning.join(), /hunter2|vrc_/);
      });
    }
    const listed = await fetch(`${server.url}/v1/entries?protocol=exec`, {
      headers: { authorization: `Bearer ${server.adminToken}` },
    });
    assert.deepEqual((await listed.json()).entries, []);
  });
});

Deno.test("two exec of the same key at once run once, and both have the whole result", async (t) => {
  await withProject(t, async (project) => {
    // Never twice the same, so that a mixture would show.
    const line = "echo run >> ../runs; for n in 1 2 3; do head -c 700000 /dev/urandom > out/$n; " +
      "sleep 0.1; done; cat out/1 out/2 out/3 | sha256sum | tee out/sum";
    await Deno.mkdir(project.file("out"));
    const args = ["--input", "*.c", "--output", "out", "--", "sh", "-c", line];
    const both = await Promise.all([project.exec(args), project.exec(args), project.exec(args)]);
    assert.equal(await project.runs(), 1);
    const sum = new TextDecoder().decode(await project.read("out/sum"));
    for (const ran of both) {
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal(ran.stdout, sum);
    }
    assert.deepEqual(both.map((ran) => ran.report?.result).sort(), ["hit", "hit", "ran"]);
    const check = await run(["sh", "-c", "cat out/1 out/2 out/3 | sha256sum"], {
      cwd: project.path,
    });
    assert.equal(check.stdout, sum);
  });
});

Deno.test("two exec of other keys and the same output take turns", async (t) => {
  await withProject(t, async (project) => {
    const args = (word: string) => [
      ...["--output", "out", "--", "sh", "-c"],
      `for n in 1 2 3 4 5; do echo ${word} >> new; sleep 0.03; done; mv new out`,
    ];
    const words = ["one", "two", "three"];
    const ran = await Promise.all(words.map((word) => project.exec(args(word))));
    for (const { report, stderr } of ran) assert.equal(report?.stored, true, stderr);
    for (const word of words) {
      assert.equal((await project.exec(args(word))).report?.result, "hit");
      assert.equal(
        new TextDecoder().decode(await project.read("out")),
        `${word}\n`.repeat(5),
      );
    }
  });
});
