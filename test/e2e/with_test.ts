/** `with`: a command whose build tools are told of the cache. */
import assert from "node:assert/strict";
import { compile } from "../../tools/compile.ts";
import type { Ran } from "../helpers/real_server.ts";
import { run, startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { needProgram, requireOrSkip } from "../helpers/skip.ts";
import { tempDir } from "../helpers/temp.ts";
import type { TempDir } from "../helpers/temp.ts";

interface WithOptions {
  /** In front of `--`. */
  readonly words?: readonly string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string;
}

/** A server, tokens of it, and the executable. */
class Fixture {
  readonly #dir: TempDir;
  readonly #server: RealServer;
  readonly #program: string;

  private constructor(dir: TempDir, server: RealServer, program: string) {
    this.#dir = dir;
    this.#server = server;
    this.#program = program;
  }

  static async create(dir: TempDir, server: RealServer): Promise<Fixture> {
    return new Fixture(dir, server, await compile());
  }

  async token(name: string, ...rights: string[]): Promise<string> {
    const made = await this.#cli(["token", "create", name, ...rights], this.#server.adminToken);
    assert.equal(made.code, 0, made.stderr);
    return made.stdout.trim();
  }

  /** Runs `with OPTIONS -- COMMAND`. */
  with(token: string, command: readonly string[], options: WithOptions = {}): Promise<Ran> {
    return this.run("with", token, command, options);
  }

  /** Runs a shell script under `with` that finds the executable in `$0`. */
  async own(token: string, script: string): Promise<Ran> {
    await Deno.mkdir(this.#dir.join("home"), { recursive: true });
    return await this.with(token, ["sh", "-c", script, this.#program]);
  }

  /** As {@linkcode with}, for one of the two. */
  run(
    name: "with" | "exec",
    token: string,
    command: readonly string[],
    { words = [], env = {}, cwd = this.#dir.path }: WithOptions,
  ): Promise<Ran> {
    return this.#cli([name, ...words, "--", ...command], token, { env, cwd });
  }

  #cli(
    args: readonly string[],
    token: string,
    { env = {}, cwd = this.#dir.path }: { env?: Record<string, string>; cwd?: string } = {},
  ): Promise<Ran> {
    return run([this.#program, ...args], {
      cwd,
      env: {
        HOME: this.#dir.join("home"),
        VITTE_CACHE_URL: this.#server.url,
        VITTE_TOKEN: token,
        ...env,
      },
    });
  }
}

async function withFixture(work: (fixture: Fixture, server: RealServer) => Promise<void>) {
  await using dir = await tempDir();
  await using server = await startServer(dir.join("store"));
  await work(await Fixture.create(dir, server), server);
}

/** Variables that a command has, by name. */
function variables(text: string): Map<string, string> {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return new Map(lines.map((line) => {
    const at = line.indexOf("=");
    return [line.slice(0, at), line.slice(at + 1)];
  }));
}

Deno.test("with gives a command every tool's variables, and ends as the command does", async () => {
  await withFixture(async (fixture, server) => {
    const token = await fixture.token("ci", "--allow", "read,write");
    const ran = await fixture.with(token, ["env"], { words: ["--no-relay"] });
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(ran.stderr, "");
    const env = variables(ran.stdout);
    assert.equal(env.get("VITTE_CACHE_URL"), server.url);
    assert.equal(env.get("VITTE_TOKEN"), token);
    assert.equal(env.get("TURBO_API"), `${server.url}/turborepo`);
    assert.equal(env.get("VITTE_GRADLE_URL"), `${server.url}/gradle`);
    const ccache = env.get("CCACHE_REMOTE_STORAGE") ?? "";
    assert.ok(ccache.startsWith(`${server.url}/ccache|bearer-token=${token}`), ccache);
    assert.ok(!ccache.includes("read-only=true"), ccache);

    for (const [line, status] of [["exit 42", 42], ["kill -9 $$", 137]] as const) {
      assert.equal((await fixture.with(token, ["sh", "-c", line])).code, status);
    }
    assert.equal((await fixture.with(token, ["no-such-program"])).code, 127);
    assert.equal((await fixture.with(token, [])).code, 125);
    const folder = await fixture.with(token, ["true"], { words: ["--dir", "/x"] });
    assert.equal(folder.code, 125, folder.stderr);
  });
});

Deno.test("with gives its command a relay of its own, whose token is good nowhere else", async () => {
  await withFixture(async (fixture, server) => {
    const token = await fixture.token("ci", "--allow", "read,write");
    const proxy = { HTTP_PROXY: "http://127.0.0.1:9", NO_PROXY: "127.0.0.1" };
    const ran = await fixture.with(token, ["env"], { env: proxy });
    assert.equal(ran.stderr, "");
    const env = variables(ran.stdout);
    const [url, local] = [env.get("VITTE_CACHE_URL") ?? "", env.get("VITTE_TOKEN") ?? ""];
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.notEqual(url, server.url);
    assert.notEqual(local, token);
    assert.equal(env.get("TURBO_API"), `${url}/turborepo`);
    assert.equal(env.get("TURBO_TOKEN"), local);
    assert.equal(env.get("NO_PROXY"), "127.0.0.1,127.0.0.1");
    assert.equal(env.get("no_proxy"), "127.0.0.1");
    const real = [...env].filter(([, value]) => value.includes(token)).map(([name]) => name);
    assert.deepEqual(real, ["RUSH_BUILD_CACHE_CREDENTIAL"]);

    const direct = await fetch(`${server.url}/v1/whoami`, {
      headers: { authorization: `Bearer ${local}` },
    });
    await direct.body?.cancel();
    assert.equal(direct.status, 401);
    // Nothing is left when the command has ended.
    const port = Number(new URL(url).port);
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.1", port }),
      Deno.errors.ConnectionRefused,
    );
  });
});

Deno.test("with: the client's own commands go through the relay", async () => {
  await withFixture(async (fixture) => {
    const token = await fixture.token("ci", "--allow", "read,write");
    const script = 'cd "$HOME" && head -c 3000000 /dev/urandom > large && echo small > small && ' +
      'for f in small large; do "$0" put "k/$f" $f && "$0" get "k/$f" | cmp - $f || exit 9; done; ' +
      '"$0" save tree small large && rm small && "$0" restore tree && cat small';
    const ran = await fixture.own(token, script);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /small\n$/);
    assert.doesNotMatch(ran.stderr, /warning/);
  });
});

Deno.test("with says by --json which variables the command has, never their values", async () => {
  await withFixture(async (fixture) => {
    const token = await fixture.token("ci", "--allow", "read,write");
    const ran = await fixture.with(token, ["sh", "-c", "echo out; exit 3"], { words: ["--json"] });
    assert.equal(ran.stdout, "out\n");
    const { variables, status } = JSON.parse(ran.stderr);
    assert.equal(status, 3);
    assert.ok(variables.includes("CCACHE_REMOTE_STORAGE"), ran.stderr);
    assert.ok(!ran.stderr.includes(token), "the token is shown");
  });
});

Deno.test("with tells tools to write nothing where the token may only read", async () => {
  await withFixture(async (fixture) => {
    const token = await fixture.token("pr", "--allow", "read");
    const env = variables((await fixture.with(token, ["env"])).stdout);
    assert.match(env.get("CCACHE_REMOTE_STORAGE") ?? "", /read-only/);
  });
});

Deno.test("with hands on no administrator's token, and none for another namespace", async () => {
  await withFixture(async (fixture, server) => {
    const env = { VITTE_TOKEN: "", VITTE_TOKEN_FILE: `${server.dir}/admin.token` };
    const admin = await fixture.with("", ["env"], { env });
    assert.equal(admin.code, 0, admin.stderr);
    assert.match(admin.stderr, /warning: .* is an administrator's; make one for builds/);
    assert.ok(!admin.stdout.includes(server.adminToken), "the child has the token");
    assert.ok(!variables(admin.stdout).has("CCACHE_REMOTE_STORAGE"));

    const token = await fixture.token("web", "--allow", "read", "--namespace", "web");
    const other = await fixture.with(token, ["env"]);
    assert.equal(other.code, 0, other.stderr);
    assert.match(other.stderr, /is not for the namespace "default"/);
    assert.ok(!variables(other.stdout).has("CCACHE_REMOTE_STORAGE"));
    const right = await fixture.with(token, ["env"], { words: ["--namespace", "web"] });
    assert.equal(
      variables(right.stdout).get("VITTE_RUSH_URL"),
      `${server.url}/ns/web/rush`,
      right.stderr,
    );
  });
});

Deno.test("with and exec go by the repository's configuration, and a hostile one gets no token", async () => {
  await withFixture(async (fixture, server) => {
    const token = await fixture.token("ci", "--allow", "read,write");
    const seen: string[] = [];
    const stop = new AbortController();
    const thief = Deno.serve({
      port: 0,
      hostname: "127.0.0.1",
      signal: stop.signal,
      onListen() {},
    }, (request) => {
      seen.push([...request.headers].join() + request.url);
      return new Response("{}", { headers: { "vitte-request-id": "1" } });
    });
    await using repository = await tempDir();
    await Deno.mkdir(repository.join(".vitte"));
    const config = (url: string) =>
      Deno.writeTextFile(
        repository.join(".vitte/config.toml"),
        `[remote-cache]\nurl = "${url}"\ntoken = "\${VITTE_TOKEN}"\n`,
      );
    const options = { cwd: repository.path, env: { VITTE_CACHE_URL: "" } };
    try {
      await config(server.url);
      const good = await fixture.with(token, ["env"], options);
      assert.equal(
        variables(good.stdout).get("VITTE_RUSH_URL"),
        `${server.url}/rush`,
        good.stderr,
      );

      await config(`http://127.0.0.1:${thief.addr.port}`);
      const bad = await fixture.with(token, ["env"], options);
      assert.equal(bad.code, 0, bad.stderr);
      assert.match(bad.stderr, /warning: going on without the cache/);
      assert.ok(!variables(bad.stdout).has("CCACHE_REMOTE_STORAGE"), bad.stdout);
      const ran = await fixture.run("exec", token, ["echo", "runs"], options);
      assert.deepEqual([ran.code, ran.stdout], [0, "runs\n"], ran.stderr);
      assert.match(ran.stderr, /warning: going on without the cache/);
      assert.ok(seen.length > 0, "the other server was not even asked");
      assert.ok(!seen.join().includes(token.slice(65)), "the token went to a stranger");

      await Deno.writeTextFile(repository.join(".vitte/config.toml"), "[remote-cache\nurl = 5");
      const broken = await fixture.run("exec", token, ["echo", "runs"], options);
      assert.deepEqual([broken.code, broken.stdout], [0, "runs\n"], broken.stderr);
      assert.match(broken.stderr, /config\.toml:1/);
    } finally {
      stop.abort();
      await thief.finished;
    }
  });
});

Deno.test("with ccache: two folders share one compile", async (t) => {
  if (!requireOrSkip(t, await needProgram("ccache"))) return;
  await withFixture(async (fixture, server) => {
    const token = await fixture.token("ci", "--allow", "read,write");
    for (const round of ["first", "second"]) {
      await using project = await tempDir();
      await Deno.writeTextFile(project.join("main.c"), "int answer(void) { return 42; }\n");
      const ran = await fixture.with(token, ["ccache", "gcc", "-c", "main.c"], {
        cwd: project.path,
        env: { CCACHE_DIR: project.join("ccache"), CCACHE_NODIRECT: "" },
      });
      assert.equal(ran.code, 0, `${round}: ${ran.stderr}`);
    }
    const stats = await fetch(`${server.url}/v1/stats`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { hits } = await stats.json();
    assert.ok(hits > 0, "the second compile did not ask the server");
  });
});
