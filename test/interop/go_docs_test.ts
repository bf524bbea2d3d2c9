/** docs/tools/go.md, typed in: every command of it, and the helper of others that it names. */
import assert from "node:assert/strict";
import { goCommand, SMALL_MODULE, writeModule } from "../helpers/go_toolchain.ts";
import { ROOT } from "../helpers/paths.ts";
import { run, runtimeFolder, SOURCE_PROGRAM, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const GO_CACHER = "github.com/bradfitz/go-tool-cache/cmd/go-cacher";
const GO_CACHER_VERSION = "v0.0.0-20260722201841-0bb331e19f64";

Deno.test("docs/tools/go.md: every command works, with go-cacher too", async () => {
  const text = await Deno.readTextFile(`${ROOT}/docs/tools/go.md`);
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]!);
  assert.ok(blocks.length >= 7, `${blocks.length} blocks`);
  await using folder = await tempDir();
  await using server = await startServer(folder.join("store"));
  const bin = folder.join("bin");
  await Deno.mkdir(bin);
  await Deno.mkdir(folder.join("home"));
  const own = `#!/bin/sh\nexec ${SOURCE_PROGRAM.join(" ")} "$@"\n`;
  await Deno.writeTextFile(`${bin}/vitte-remote-cache`, own, { mode: 0o755 });
  const go = await goCommand();
  await installGoCacher(go, bin);
  if (go !== "go") await Deno.symlink(go, `${bin}/go`);
  await writeModule(folder.join("src"), SMALL_MODULE);
  // The pages of all tools begin where the executable was made.
  await Deno.symlink(`${bin}/vitte-remote-cache`, folder.join("src/vitte-remote-cache"));
  const script = blocks.join("\n").replaceAll("http://127.0.0.1:8080", server.url);
  const ran = await run(["bash", "-euxo", "pipefail", "-c", script], {
    cwd: folder.join("src"),
    env: {
      HOME: folder.join("home"),
      DENO_DIR: runtimeFolder(),
      PATH: `${bin}:${Deno.env.get("PATH")}`,
      XDG_CACHE_HOME: "",
      GOCACHE: folder.join("gocache"),
      GOPROXY: "off",
      GOTOOLCHAIN: "local",
      GOFLAGS: "-buildvcs=false",
      CGO_ENABLED: "0",
      // The first command is the administrator's.
      VITTE_CACHE_URL: server.url,
      VITTE_TOKEN: server.adminToken,
    },
  });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.match(ran.stderr, /vitte-remote-cache: go: \d+ asked, \d+ here, /);
  assert.ok(!/warning/.test(ran.stderr), ran.stderr);
  const stats = await run([`${bin}/vitte-remote-cache`, "stats", "--json", "--url", server.url], {
    env: { VITTE_TOKEN: server.adminToken },
  });
  assert.ok(JSON.parse(stats.stdout).hits > 30, "go-cacher has read what we have written");
});

/** Builds it once a checkout, from the module proxy. */
async function installGoCacher(go: string, bin: string): Promise<void> {
  const kept = `${ROOT}/.cache/go-cacher/${GO_CACHER_VERSION}`;
  const built = await Deno.stat(`${kept}/go-cacher`).catch(() => undefined);
  if (!built) {
    const env = { GOBIN: kept, GOFLAGS: "-modcacherw", GOPATH: `${kept}/path`, GOCACHEPROG: "" };
    const ran = await run([go, "install", `${GO_CACHER}@${GO_CACHER_VERSION}`], { env });
    assert.equal(ran.code, 0, ran.stderr);
  }
  await Deno.symlink(`${kept}/go-cacher`, `${bin}/go-cacher`);
}
