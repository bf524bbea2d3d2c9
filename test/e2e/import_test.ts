/** The library: importing it does nothing, and its examples run. */
import assert from "node:assert/strict";
import { ROOT } from "../helpers/paths.ts";
import { run } from "../helpers/real_server.ts";
import { listFiles, tempDir } from "../helpers/temp.ts";

const DENO = Deno.execPath();

Deno.test("importing mod.ts opens nothing, asks for nothing and starts nothing", async () => {
  await using dir = await tempDir();
  const code = `
    const calls = [];
    const spy = (owner, name) => {
      const real = owner[name];
      owner[name] = (...words) => (calls.push(name), real.apply(owner, words));
    };
    for (const name of ["setTimeout", "setInterval", "fetch", "addEventListener"]) {
      spy(globalThis, name);
    }
    const opening = ["open", "openSync", "listen", "serve", "connect", "mkdir", "writeFile",
      "addSignalListener"];
    for (const name of opening) spy(Deno, name);
    globalThis.Worker = class { constructor() { calls.push("Worker"); } };
    const library = await import(${JSON.stringify(`file://${ROOT}/mod.ts`)});
    console.log(JSON.stringify({ calls, names: Object.keys(library).sort() }));
  `;
  await Deno.writeTextFile(dir.join("try.ts"), code);
  // No right to write, to talk or to start anything: whoever tries at import fails.
  const ran = await run(
    [
      DENO,
      "run",
      "--no-prompt",
      "--allow-read",
      "--config",
      `${ROOT}/deno.json`,
      "--no-check",
      dir.join("try.ts"),
    ],
    { cwd: dir.path, env: { HOME: dir.path, XDG_CACHE_HOME: dir.path, DENO_DIR: await denoDir() } },
  );
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(JSON.parse(ran.stdout), {
    calls: [],
    names: [
      "CacheError",
      "bytesSource",
      "connectCache",
      "digestOf",
      "getOrBuild",
      "openCache",
      "parseDigest",
      "streamSource",
    ],
  });
  assert.deepEqual(await listFiles(dir.path), ["try.ts"]);
});

async function denoDir(): Promise<string> {
  const { stdout } = await run([DENO, "info", "--json"]);
  return JSON.parse(stdout).denoDir;
}
