/** The command line against a real server and a real folder. */
import assert from "node:assert/strict";
import { run, runCli, SOURCE_PROGRAM, startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const text = (bytes: string) => new TextEncoder().encode(bytes);

Deno.test("commands work on a server and on a folder alike", async (t) => {
  for (const kind of ["server", "folder"] as const) {
    await t.step(kind, async () => {
      await using folder = await tempDir();
      const dir = `${folder.path}/store`;
      await using server = kind === "server" ? await startServer(dir) : undefined;
      const where = server ? ["--url", server.url] : ["--dir", dir];
      const env = { VITTE_TOKEN: server?.adminToken ?? "" };
      const cli = (...args: string[]) => runCli([...args, ...where], { env });
      const file = `${folder.path}/file`;
      await Deno.writeTextFile(file, "hello");

      const put = await cli("put", "a/b", file);
      assert.equal(put.code, 0, put.stderr);
      const piped = await runCli(["put", "a/c", "-", ...where, "--json"], {
        env,
        stdin: text("from a pipe"),
      });
      assert.equal(piped.code, 0, piped.stderr);
      assert.deepEqual(
        { ...JSON.parse(piped.stdout), digest: undefined },
        { key: "a/c", digest: undefined, size: 11, replaced: false },
      );
      const got = await cli("get", "a/b");
      assert.deepEqual([got.code, got.stdout], [0, "hello"]);
      const toFile = await cli("get", "a/c", "-o", `${folder.path}/out`);
      assert.equal(toFile.code, 0, toFile.stderr);
      assert.equal(await Deno.readTextFile(`${folder.path}/out`), "from a pipe");
      assert.equal((await cli("has", "a/b")).code, 0);
      assert.equal((await cli("has", "nobody")).code, 3);
      const missing = await cli("get", "nobody");
      assert.equal(missing.code, 3);
      assert.match(missing.stderr, /^vitte-remote-cache: error: no entry "nobody"/);

      const listed = await cli("ls", "--prefix", "a/", "--json");
      const rows = JSON.parse(listed.stdout);
      assert.deepEqual(rows.map((row: { key: string }) => row.key), ["a/b", "a/c"]);
      const elsewhere = await cli("ls", "--namespace", "other", "--json");
      assert.deepEqual(JSON.parse(elsewhere.stdout), []);

      const stats = JSON.parse((await cli("stats", "--json")).stdout);
      for (
        const name of [
          "entries",
          "blobs",
          "chunks",
          "logical_bytes",
          "stored_bytes",
          "hits",
          "misses",
        ]
      ) assert.equal(typeof stats[name], "number", name);
      assert.equal(stats.entries, 2);
      assert.equal(stats.logical_bytes, 16);

      assert.equal((await cli("rm", "a/b")).code, 0);
      assert.equal((await cli("rm", "a/b")).code, 3);
      assert.equal((await cli("get", "a/b")).code, 3);
      const dry = JSON.parse((await cli("rm", "--prefix", "a/", "--dry-run", "--json")).stdout);
      assert.deepEqual(dry, { removed: 0, matched: 1, keys: ["a/c"], dry_run: true });
      assert.equal((await cli("rm", "--prefix", "a/")).code, 0);
      assert.equal((await cli("has", "a/c")).code, 3);

      const verified = await cli("verify", "--json");
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
      const gc = await cli("gc", "--json");
      assert.equal(gc.code, 0, gc.stderr);
      const doctor = await cli("doctor");
      assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr);
    });
  }
});

Deno.test("tokens are made, listed, rotated and revoked; a scope is kept apart", async () => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const admin = (...args: string[]) => as(server, server.adminToken, ...args);
  const created = await admin("token", "create", "pr", "--allow", "read,write", "--scope", "pr/7");
  assert.equal(created.code, 0, created.stderr);
  assert.match(created.stdout, /^vrc_[0-9a-f]{16}_[\w-]{43}_[\w-]{43}\n$/);
  const pr = created.stdout.trim();
  const main = (await admin("token", "create", "ci", "--allow", "read,write")).stdout.trim();
  const file = `${folder.path}/f`;
  await Deno.writeTextFile(file, "main's");
  assert.equal((await as(server, main, "put", "k", file)).code, 0);
  assert.equal((await as(server, pr, "get", "k")).stdout, "main's");
  await Deno.writeTextFile(file, "the pull request's");
  assert.equal((await as(server, pr, "put", "k", file)).code, 0);
  assert.equal((await as(server, pr, "get", "k")).stdout, "the pull request's");
  assert.equal((await as(server, main, "get", "k")).stdout, "main's");

  const again = await admin("token", "create", "pr", "--allow", "read");
  assert.equal(again.code, 1);
  const rotated = (await admin("token", "rotate", "pr")).stdout.trim();
  assert.notEqual(rotated, pr);
  assert.equal((await as(server, pr, "get", "k")).code, 1);
  assert.equal((await as(server, rotated, "get", "k")).stdout, "the pull request's");
  assert.equal((await admin("token", "revoke", "pr")).code, 0);
  const refused = await as(server, rotated, "get", "k");
  assert.equal(refused.code, 1);
  assert.ok(!refused.stderr.includes(rotated), "an error shows the token");
  const listed = await admin("token", "list");
  assert.match(listed.stdout, /revoked/);
  assert.ok(!listed.stdout.includes(main.slice(65)), "a list shows a secret");
  assert.equal((await as(server, main, "token", "list")).code, 1);
  assert.ok(!server.log().includes(pr.slice(65)), "the log shows a secret");
});

Deno.test("usage errors give 2 and a hint", async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /Usage/],
    [["frobnicate"], /unknown command 'frobnicate'/],
    [["get"], /missing required argument 'key'/],
    [["get", "k"], /no store is named/],
    [["get", "k", "--dir", "/x", "--url", "http://127.0.0.1:1"], /--dir and --url/],
    [["get", "k", "--dir", "/x", "--namespace", "No Such"], /is no namespace/],
    [["serve", "--port", "99999"], /0 to 65535/],
    [["serve", "--max-size", "12 parsecs"], /number with a unit/],
    [["serve", "--tls-cert", "c.pem"], /go together/],
    [["token", "create", "n", "--allow", "fly", "--dir", "/x"], /verbs are read/],
  ];
  for (const [args, wanted] of cases) {
    await t.step(args.join(" ") || "(nothing)", async () => {
      const ran = await runCli(args);
      assert.equal(ran.code, 2, ran.stdout + ran.stderr);
      assert.match(ran.stderr, wanted);
      assert.equal(ran.stdout, "");
    });
  }
});

Deno.test("a flag beats VITTE_CACHE_URL, and a locked folder says who holds it", async () => {
  await using folder = await tempDir();
  const dir = `${folder.path}/store`;
  const env = { VITTE_CACHE_URL: "http://127.0.0.1:9" };
  const stats = await runCli(["stats", "--dir", dir, "--json"], { env });
  assert.equal(stats.code, 0, stats.stderr);
  await using server = await startServer(dir);
  const locked = await runCli(["stats", "--dir", dir]);
  assert.equal(locked.code, 1);
  assert.match(locked.stderr, new RegExp(`has it open`));
  assert.match(locked.stderr, new RegExp(String(server.pid)));
  assert.match(locked.stderr, /hint: talk to the running server with --url/);
  const second = await runCli(["serve", "--port", "0", "--dir", dir]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /has it open/);
  const port = new URL(server.url).port;
  const taken = await runCli(["serve", "--port", port, "--dir", `${folder.path}/other`]);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /the port is taken/);
  assert.match(taken.stderr, /hint: .*--port/);
});

Deno.test("a folder of a newer format, or of something else, is refused with a reason", async () => {
  await using folder = await tempDir();
  await Deno.mkdir(`${folder.path}/new`);
  await Deno.writeTextFile(`${folder.path}/new/FORMAT`, "vitte-remote-cache store, format 99\n");
  const newer = await runCli(["stats", "--dir", `${folder.path}/new`]);
  assert.equal(newer.code, 1);
  assert.match(newer.stderr, /it has format 99, want 1/);
  await Deno.mkdir(`${folder.path}/home`);
  await Deno.writeTextFile(`${folder.path}/home/thesis.txt`, "years of work");
  const foreign = await runCli(["stats", "--dir", `${folder.path}/home`]);
  assert.equal(foreign.code, 1);
  assert.match(foreign.stderr, /holds "thesis.txt"/);
  assert.deepEqual([...Deno.readDirSync(`${folder.path}/home`)].map((item) => item.name), [
    "thesis.txt",
  ]);
});

Deno.test("serve stops cleanly on SIGTERM and finishes what is in flight", async () => {
  await using folder = await tempDir();
  const server = await startServer(`${folder.path}/store`);
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (feed = controller) });
  feed!.enqueue(text("begun before the signal, "));
  const uploading = fetch(`${server.url}/v1/entries/slow`, {
    method: "PUT",
    headers: { authorization: `Bearer ${server.adminToken}` },
    body,
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const stopped = server.stop();
  await new Promise((resolve) => setTimeout(resolve, 300));
  feed!.enqueue(text("ended after it"));
  feed!.close();
  const answer = await uploading;
  assert.equal(answer.status, 201, await answer.text());
  assert.equal(await stopped, 0, server.log());
  await using again = await startServer(`${folder.path}/store`);
  const got = await as(again, again.adminToken, "get", "slow");
  assert.equal(got.stdout, "begun before the signal, ended after it");
});

Deno.test("get interrupted by SIGINT ends with 130 and leaves no file", async () => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const [program, ...first] = SOURCE_PROGRAM;
  const child = new Deno.Command(program!, {
    args: [...first, "put", "k", "-", "--url", server.url],
    env: { VITTE_TOKEN: server.adminToken },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(text("half of it"));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  child.kill("SIGINT");
  const { code } = await child.output();
  await writer.abort().catch(() => {});
  assert.equal(code, 130);
  assert.equal((await as(server, server.adminToken, "has", "k")).code, 3);
});

Deno.test("--help of every command shows usage and exits 0", async (t) => {
  for (
    const command of [
      "",
      "serve",
      "put",
      "get",
      "has",
      "ls",
      "rm",
      "stats",
      "token",
      "verify",
      "gc",
      "doctor",
      "token create",
    ]
  ) {
    await t.step(command || "(program)", async () => {
      const ran = await run([...SOURCE_PROGRAM, ...command.split(" ").filter(Boolean), "--help"]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stdout, /^Usage: vitte-remote-cache/);
    });
  }
});

function as(server: RealServer, token: string, ...args: string[]) {
  return runCli([...args, "--url", server.url], { env: { VITTE_TOKEN: token } });
}
