/** Who is asked to prove what over HTTPS, seen from the server, with the real program. */
import assert from "node:assert/strict";
import { defaultRights } from "../../auth/rights.ts";
import { AUTHORITY, CERT, KEY } from "../helpers/certificate.ts";
import { run, SOURCE_PROGRAM } from "../helpers/real_server.ts";
import { listFiles, tempDir } from "../helpers/temp.ts";
import { startTokenServer } from "../helpers/token_server.ts";

Deno.test("A proof over HTTPS is asked once, kept for this user, and forgotten at logout", async () => {
  await using dir = await tempDir();
  const authority = dir.join("authority.pem");
  await Deno.writeTextFile(authority, AUTHORITY);
  await Deno.mkdir(dir.join("server"));
  await Deno.mkdir(dir.join("repo/.vitte"), { recursive: true });
  await using server = await startTokenServer(dir.join("server"), {
    tls: { cert: CERT, key: KEY },
  });
  const { token } = await server.tokens.create("ci", defaultRights({ verbs: ["read"] }));
  await Deno.writeTextFile(
    dir.join("repo/.vitte/config.toml"),
    `[remote-cache]\nurl = "${server.url}"\ntoken = "\${VITTE_TOKEN}"\n`,
  );
  const env = { DENO_CERT: authority, VITTE_TOKEN: token, XDG_CONFIG_HOME: dir.join("user") };
  const cli = async (...args: string[]) => {
    const before = server.seen.length;
    const ran = await run([...SOURCE_PROGRAM, ...args], { cwd: dir.join("repo"), env });
    const routes = server.seen.slice(before).map((line) => JSON.parse(line).route);
    return { ...ran, routes };
  };
  const first = await cli("whoami", "--json");
  assert.equal(first.code, 0, first.stderr);
  assert.deepEqual(first.routes, ["identity", "whoami"]);
  const proofs = dir.join("user/vitte-remote-cache");
  assert.deepEqual(await listFiles(proofs), [`proofs/${encodeURIComponent(server.url)}.json`]);
  assert.deepEqual((await cli("whoami", "--json")).routes, ["whoami"]);
  const shown = await cli("config", "show", "--origin");
  assert.match(shown.stdout, /^trust +the token is sent {2}\(proof of \d{4}-/m);
  assert.deepEqual(shown.routes, []);
  // What is kept for one server key says nothing about another.
  const away = token.slice(0, 21) + "A".repeat(43) + token.slice(64);
  const wrong = await run([...SOURCE_PROGRAM, "whoami"], {
    cwd: dir.join("repo"),
    env: { ...env, VITTE_TOKEN: away },
  });
  assert.match(wrong.stderr, /it is not the server that made the token/);
  await cli("logout", server.url);
  assert.deepEqual(await listFiles(proofs), []);
  assert.deepEqual((await cli("whoami")).routes, ["identity", "whoami"]);
});
