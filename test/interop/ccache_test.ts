/** Real ccache on a real C code base, over two machines' worth of local state. */
import assert from "node:assert/strict";
import { compileAll, fetchCProject, hashFolder } from "../helpers/c_project.ts";
import type { Compiled } from "../helpers/c_project.ts";
import { run, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const LAYOUTS = ["subdirs", "flat", "bazel"];

interface Machine {
  readonly env: Record<string, string>;
  readonly built: Compiled;
  readonly stats: ReadonlyMap<string, number>;
  readonly objects: ReadonlyMap<string, string>;
}

Deno.test("ccache compiles libopus twice: the second machine has only remote hits", async () => {
  await using folder = await tempDir();
  const project = await fetchCProject();
  assert.ok(project.files.length >= 100, `${project.files.length} C files`);
  await using server = await startServer(`${folder.path}/store`);
  // Its default of 100 ms to connect is for a quiet machine.
  const storage = `${server.url}/ccache|bearer-token=${server.adminToken}|connect-timeout=5000`;
  const machine = (name: string, files = project.files) =>
    build(`${folder.path}/${name}`, storage, { ...project, files });

  const first = await machine("one");
  const second = await machine("two");
  const count = project.files.length;
  assert.equal(hits(second), count, JSON.stringify([...second.stats]));
  assert.equal(second.stats.get("cache_miss"), 0);
  assert.equal(second.stats.get("remote_storage_error"), 0, server.log());
  assert.equal(second.stats.get("remote_storage_timeout"), 0);
  assert.ok((second.stats.get("remote_storage_hit") ?? 0) >= count);
  assert.deepEqual(second.objects, first.objects);
  assert.equal(first.objects.size, count);
  const ratio = first.built.seconds / second.built.seconds;
  console.info(
    `ccache, ${count} files: first ${first.built.seconds.toFixed(1)} s, ` +
      `second ${second.built.seconds.toFixed(1)} s, ${ratio.toFixed(1)} times as fast`,
  );
});

for (const layout of LAYOUTS) {
  Deno.test(`ccache layout=${layout} hits what another machine stored`, async () => {
    await using folder = await tempDir();
    const { dir, files } = await fetchCProject();
    const project = { dir, files: files.slice(0, 6) };
    await using server = await startServer(`${folder.path}/store`);
    const storage = `${server.url}|layout=${layout}|bearer-token=${server.adminToken}`;
    const first = await build(`${folder.path}/one`, storage, project);
    const second = await build(`${folder.path}/two`, storage, project);
    assert.equal(hits(second), project.files.length, JSON.stringify([...second.stats]));
    assert.deepEqual(second.objects, first.objects);
  });
}

Deno.test("ccache goes on compiling when the token is wrong and when the server is gone", async () => {
  await using folder = await tempDir();
  const { dir, files } = await fetchCProject();
  const project = { dir, files: files.slice(0, 3) };
  await using server = await startServer(`${folder.path}/store`);
  const wrong = `${server.url}|bearer-token=vrc_0000000000000000_wrong`;
  const refused = await build(`${folder.path}/one`, wrong, project);
  assert.equal(refused.objects.size, 3);
  assert.equal(hits(refused), 0);
  await server.kill();
  const alone = await build(
    `${folder.path}/two`,
    `${server.url}|bearer-token=${server.adminToken}`,
    project,
  );
  assert.deepEqual(alone.objects, refused.objects);
});

async function build(
  home: string,
  storage: string,
  project: { dir: string; files: readonly string[] },
): Promise<Machine> {
  const source = `${home}/source`;
  const out = `${home}/objects`;
  await Deno.mkdir(out, { recursive: true });
  const copied = await run(["cp", "-r", project.dir, source]);
  assert.equal(copied.code, 0, copied.stderr);
  const used = {
    CCACHE_DIR: `${home}/ccache`,
    CCACHE_REMOTE_STORAGE: storage,
    CCACHE_CONFIGPATH: `${home}/no-such-config`,
    CCACHE_BASEDIR: home,
    CCACHE_LOGFILE: `${home}/log`,
  };
  const built = await compileAll(project, ["ccache", "gcc"], { out, cwd: source, env: used });
  assert.deepEqual(built.failed, []);
  const printed = await run(["ccache", "--print-stats"], { env: used });
  const stats = new Map(
    printed.stdout.trim().split("\n").map((line) => {
      const [name, value] = line.split("\t");
      return [name!, Number(value)] as const;
    }),
  );
  return { env: used, built, stats, objects: await hashFolder(out) };
}

function hits(machine: Machine): number {
  const { stats } = machine;
  return (stats.get("direct_cache_hit") ?? 0) + (stats.get("preprocessed_cache_hit") ?? 0);
}
