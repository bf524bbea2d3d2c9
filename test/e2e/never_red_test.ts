/**
 * A cache that is away, hangs, refuses or talks nonsense: builds go on, and the wait is bounded. The
 * seconds that each case costs are printed.
 */
import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import { TOLERANT_ANSWER_MS } from "../../core/build_limits.ts";
import { ExecProject } from "../helpers/exec_project.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { run, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const TOKEN = `vrc_0123456789abcdef_${"A".repeat(43)}_${"Q".repeat(43)}`;
/** Milliseconds beyond the deadline that a busy machine may need to start and end a process. */
const SLACK_MS = 6_000;

const STEP = [
  ...["--input", "*.c", "*.h", "--output", "main.o"],
  ...["--", "cc", "-c", "main.c", "-o", "main.o"],
];

/** A server that answers everything so. */
function answering(answer: (request: Request) => Response | Promise<Response>) {
  const stop = new AbortController();
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    signal: stop.signal,
    onListen() {},
  }, answer);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.finished;
    },
  };
}

/** What is wrong with the cache, or with how this machine was set up for it. */
interface Trouble {
  readonly name: string;
  readonly env: Record<string, string>;
  /** What the warning says. */
  readonly said: RegExp;
  readonly setUp: boolean;
}

/** Goes through addresses and tokens with which there is no good cache. */
async function withTroubles(
  server: RealServer,
  each: (trouble: Trouble) => Promise<void>,
): Promise<void> {
  const trouble = (setUp: boolean) => (name: string, env: Trouble["env"], said: RegExp) =>
    each({ name, env, said, setUp });
  const setUp = trouble(true);
  const work = trouble(false);
  const good = { VITTE_CACHE_URL: server.url, VITTE_TOKEN: server.adminToken };
  const at = (url: string) => ({ VITTE_CACHE_URL: url, VITTE_TOKEN: TOKEN });
  await setUp("no server is named", { VITTE_CACHE_URL: "", VITTE_TOKEN: "" }, /no store is named/);
  await work("nobody listens", at("http://127.0.0.1:9"), /Cannot reach the server/);
  await work("no such name", at("https://cache.invalid"), /Cannot reach the server|takes longer/);
  await setUp("not a URL", at("cache.example.com"), /Cannot use the server's URL/);
  await setUp("plain HTTP to elsewhere", at("http://192.0.2.1:8080"), /want https/);
  await work(
    "a token that nobody knows",
    { ...good, VITTE_TOKEN: TOKEN },
    /token|401|credentials/i,
  );
  await setUp(
    "a token that is damaged",
    { ...good, VITTE_TOKEN: "vrc_12" },
    /damaged or too short/,
  );
  await work("no token", { ...good, VITTE_TOKEN: "" }, /token|401|credentials/i);
  await setUp(
    "a token file that is gone",
    { ...good, VITTE_TOKEN_FILE: "/nowhere/token" },
    /Cannot read the token file/,
  );
  {
    await using broken = answering(() => new Response("oops", { status: 500 }));
    await work("500", at(broken.url), /warning: going on without the cache/);
  }
  {
    await using full = answering(() =>
      new Response(null, { status: 503, headers: { "retry-after": "120" } })
    );
    await work("503, come back in two minutes", at(full.url), /going on without the cache/);
  }
  {
    await using garbage = answering(() => new Response("<html>It works!</html>"));
    await work("a page that is no answer", at(garbage.url), /going on without the cache/);
  }
  {
    await using elsewhere = answering(() => Response.redirect("http://127.0.0.1:9/", 302));
    await work("a redirect", at(elsewhere.url), /sends us to/);
  }
  {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using silent = answering(async () => {
      await promise;
      return new Response();
    });
    await work("no answer at all", at(silent.url), /takes longer than 2000 ms/);
    resolve();
  }
  {
    const drip = () => {
      let timer: ReturnType<typeof setInterval> | undefined;
      return new ReadableStream({
        start(controller) {
          timer = setInterval(() => controller.enqueue(new TextEncoder().encode(" ")), 100);
        },
        cancel: () => clearInterval(timer),
      });
    };
    await using slow = answering(() =>
      new Response(drip(), { headers: { "content-type": "application/json" } })
    );
    await work("an answer that never ends", at(slow.url), /takes longer than 2000 ms/);
  }
  Deno.kill(server.pid, "SIGSTOP");
  try {
    await work("a server that was stopped", good, /takes longer than 2000 ms/);
  } finally {
    Deno.kill(server.pid, "SIGCONT");
  }
}

Deno.test("exec and with run their command whatever the cache does, and soon", async (t) => {
  await using dir = await tempDir();
  await using server = await startServer(dir.join("store"));
  const project = await ExecProject.create(dir, {});
  let runs = 0;
  await withTroubles(server, async ({ name, env, said, setUp }) => {
    await t.step(name, async () => {
      const began = performance.now();
      const ran = await project.exec(STEP, project.place(env));
      const exec = performance.now() - began;
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual([ran.report?.result, ran.report?.stored], ["ran", false]);
      assert.equal(await project.runs(), ++runs);
      assert.match(ran.said, said);
      assert.equal(ran.said.match(/warning: going on/g)?.length, 1, ran.said);
      assert.ok(!ran.stderr.includes("Q".repeat(43)), "the token is shown");
      assert.ok(exec < TOLERANT_ANSWER_MS + SLACK_MS, `${exec} ms`);

      const place = project.place(env);
      const show = 'echo "url=$VITTE_CCACHE_URL"; exit 7';
      const start = performance.now();
      const child = await run([project.program, "with", "--", "sh", "-c", show], {
        cwd: place.cwd,
        env: { ...place.env },
      });
      const took = performance.now() - start;
      assert.deepEqual([child.code, child.stdout], [7, "url=\n"], child.stderr);
      assert.match(child.stderr, said);
      assert.ok(took < TOLERANT_ANSWER_MS + SLACK_MS, `${took} ms`);
      console.log(`  ${name}: exec ${seconds(exec)}, with ${seconds(took)}`);
      if (!setUp) await saveAndRestore(project, { name, env, said });
    });
  });
});

/** `save` and `restore` go on as well: what they are asked for is no program, so they do nothing. */
async function saveAndRestore(
  project: ExecProject,
  { name, env, said }: Omit<Trouble, "setUp">,
): Promise<void> {
  const place = project.place(env);
  const costs: string[] = [];
  for (const words of [["save", "key", "main.c"], ["restore", "key", "kept"]]) {
    const began = performance.now();
    const ran = await run([project.program, ...words, "--json"], {
      cwd: place.cwd,
      env: { ...place.env },
    });
    const took = performance.now() - began;
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /warning: going on without the cache/);
    assert.match(ran.stderr, said);
    assert.match(ran.stdout, /"outcome":"skipped"|"hit":"miss"/);
    assert.ok(took < TOLERANT_ANSWER_MS + SLACK_MS, `${words[0]} ${took} ms`);
    costs.push(`${words[0]} ${seconds(took)}`);
  }
  await assert.rejects(Deno.stat(project.file("kept")), Deno.errors.NotFound);
  console.log(`  ${name}: ${costs.join(", ")}`);
}

Deno.test("exec and with --on-error fail do not run the command then", async () => {
  await using dir = await tempDir();
  const project = await ExecProject.create(dir, { VITTE_CACHE_URL: "http://127.0.0.1:9" });
  const ran = await project.exec(["--on-error", "fail", ...STEP]);
  assert.equal(ran.code, 125, ran.stderr);
  assert.equal(await project.runs(), 0);
  const place = project.place();
  const args = ["with", "--on-error", "fail", "--", "cc"];
  const child = await run([project.program, ...args], { cwd: place.cwd, env: { ...place.env } });
  assert.equal(child.code, 125, child.stderr);
  assert.equal(await project.runs(), 0);
});

Deno.test("a server that dies while the command runs is a warning at its end", async () => {
  await using dir = await tempDir();
  await using server = await startServer(dir.join("store"));
  const project = await ExecProject.create(dir, {
    VITTE_CACHE_URL: server.url,
    VITTE_TOKEN: server.adminToken,
  });
  const line = "touch started; while [ ! -e go ]; do sleep 0.02; done; echo done";
  const running = project.exec(["--", "sh", "-c", line]);
  while (!await Deno.stat(project.file("started")).catch(() => undefined)) {
    await systemClock.sleep(10);
  }
  await server.kill();
  await project.write("go", "");
  const ran = await running;
  assert.deepEqual([ran.code, ran.stdout, ran.report?.stored], [0, "done\n", false]);
  assert.match(ran.said, /could not store the run/);
});

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
