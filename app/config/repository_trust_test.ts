/** Hostile repositories: whoever names an address in one gets no token by it. */
import assert from "node:assert/strict";
import { toBase64Url } from "../../core/token.ts";
import { isKind } from "../../core/errors.ts";
import { defaultRights } from "../../auth/rights.ts";
import { createChallenge } from "../../auth/identity.ts";
import type { Clock } from "../../core/clock.ts";
import { fakeEnvironment, stoppedClock } from "../../test/helpers/fake_environment.ts";
import type { FakeEnvironment } from "../../test/helpers/fake_environment.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { startTokenServer } from "../../test/helpers/token_server.ts";
import type { TokenServer } from "../../test/helpers/token_server.ts";
import { main } from "../main.ts";
import { trustedServer } from "./repository_trust.ts";
import { resolveStore } from "./resolve_store.ts";

const BROUGHT = "a-token-that-was-brought-along-from-elsewhere";

/** A server of an attacker, which writes down every header that reaches it. */
interface Thief extends AsyncDisposable {
  readonly url: string;
  readonly asked: { readonly path: string; readonly headers: string }[];
}

function startThief(answer: (request: Request) => Response | Promise<Response>): Thief {
  const asked: Thief["asked"] = [];
  const stop = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: stop.signal, onListen() {} },
    (request) => {
      const headers = JSON.stringify([...request.headers]);
      asked.push({ path: new URL(request.url).pathname, headers });
      return answer(request);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.finished;
    },
  };
}

/** A real server with a token of it, and a folder for repositories and homes. */
interface World {
  readonly dir: TempDir;
  readonly server: TokenServer;
  readonly token: string;
  /** Runs a command in a repository that says this. */
  run(url: string, options?: RunOptions): Promise<FakeEnvironment & { code: number }>;
}

interface RunOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly token?: string;
  readonly clock?: Clock;
}

async function world(work: (world: World) => Promise<void>): Promise<void> {
  await using dir = await tempDir();
  await Deno.mkdir(dir.join("server"));
  await using server = await startTokenServer(dir.join("server"), { names: [] });
  const rights = defaultRights({ verbs: ["read", "write"] });
  const { token } = await server.tokens.create("ci", rights);
  const run: World["run"] = async (url, options = {}) => {
    const cwd = dir.join("repository");
    await Deno.mkdir(`${cwd}/.vitte`, { recursive: true });
    const lines = ["[remote-cache]", `url = "${url}"`, 'token = "${VITTE_TOKEN}"'];
    await Deno.writeTextFile(`${cwd}/.vitte/config.toml`, lines.join("\n"));
    const env = { HOME: dir.join("home"), VITTE_TOKEN: options.token ?? token, ...options.env };
    const environment = fakeEnvironment({
      args: options.args ?? ["whoami", "--json"],
      env,
      cwd,
      clock: options.clock ?? stoppedClock,
    });
    return Object.assign(environment, { code: await main(environment) });
  };
  await work({ dir, server, token, run });
}

/** What a thief has seen must hold nothing of a token. */
function assertNothingStolen(thief: Thief, token: string): void {
  for (const { headers } of thief.asked) {
    assert.ok(!headers.includes("authorization"), headers);
    assert.ok(!headers.includes(token.slice(-43)), headers);
  }
}

Deno.test("The sample of a repository works with VITTE_TOKEN alone, once the server has proved itself", () =>
  world(async ({ dir, server, run, token }) => {
    const { code, out, err } = await run(server.url);
    assert.equal(code, 0, err);
    assert.equal(JSON.parse(out).name, "ci");
    assert.match(JSON.parse(out).where_from, /repository\/\.vitte\/config\.toml$/);
    assert.deepEqual(server.seen.map((line) => JSON.parse(line).route), ["identity", "whoami"]);
    const folder = dir.join("home/.config/vitte-remote-cache/proofs");
    const [file, ...more] = [...Deno.readDirSync(folder)];
    assert.deepEqual(more, []);
    assert.equal(Deno.statSync(`${folder}/${file!.name}`).mode! & 0o777, 0o600);
    const text = await Deno.readTextFile(`${folder}/${file!.name}`);
    assert.equal(JSON.parse(text).origin, server.url);
    assert.ok(!text.includes(token.slice(-43)), "a proof holds no secret");
    // Over plain HTTP a port may change hands, so it is asked again by the next process.
    assert.equal((await run(server.url)).code, 0);
    assert.equal(server.seen.filter((line) => line.includes('"identity"')).length, 2);
  }));

Deno.test("hostile configuration: another url gets nothing of the real token", async (t) => {
  const answers: Record<string, (request: Request) => Response> = {
    "that knows no /v1/identity": () => new Response("not found", { status: 404 }),
    "that says yes to everything": () => Response.json({}),
    "that makes up a proof": ({ headers }) =>
      Response.json({
        server_key: "A".repeat(43),
        host: headers.get("host"),
        proof: "A".repeat(43),
      }),
    "that asks for the token": () =>
      new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }),
    "that breaks off": () => new Response(null, { status: 500 }),
  };
  for (const [name, answer] of Object.entries(answers)) {
    await t.step(name, () =>
      world(async ({ run, token }) => {
        for (const args of [["whoami"], ["get", "k"], ["stats", "--json"], ["doctor"]]) {
          await using thief = startThief(answer);
          const ran = await run(thief.url, { args });
          assert.equal(ran.code, 1, ran.out + ran.err);
          assert.ok(thief.asked.length > 0);
          // Whether a server is there at all may be asked by anybody.
          const open = ["/v1/identity", "/healthz"];
          assert.ok(thief.asked.every(({ path }) => open.includes(path)));
          assertNothingStolen(thief, token);
          assert.ok(!`${ran.out}${ran.err}`.includes(token.slice(-43)));
        }
      }));
  }
});

Deno.test("hostile configuration: a name below localhost, which a resolver may lead anywhere, gets nothing", () =>
  world(async ({ run, token }) => {
    await using thief = startThief(() => new Response("", { status: 404 }));
    const url = thief.url.replace("127.0.0.1", "thief.localhost");
    for (const args of [["whoami"], ["get", "k"]]) {
      const ran = await run(url, { args });
      assert.equal(ran.code, 1);
      assert.match(ran.err, /it may be another machine/);
    }
    assert.deepEqual(thief.asked, []);
    assertNothingStolen(thief, token);
  }));

Deno.test("hostile configuration: a url that relays the proof of the real server gets nothing", () =>
  world(async ({ server, run, token }) => {
    for (const host of ["the thief's", "the real one's"]) {
      await using thief = startThief(async (request) => {
        const { pathname, search, host: own } = new URL(request.url);
        // `fetch` writes the Host of the real server; a raw request could write any.
        const answer = await fetch(`${server.url}${pathname}${search}`);
        const proof = await answer.json();
        return Response.json(host === "the thief's" ? { ...proof, host: own } : proof);
      });
      const ran = await run(thief.url);
      assert.equal(ran.code, 1);
      assert.match(ran.err, /it is not the server that made the token/);
      assertNothingStolen(thief, token);
    }
    // Nor does the real server prove anything for a name that is not its own.
    const { serverKey } = { serverKey: new Uint8Array(32).fill(9) };
    const { nonce } = createChallenge(serverKey);
    const { hostname, port } = new URL(server.url);
    await using connection = await Deno.connect({ hostname, port: Number(port) });
    const lines = [`GET /v1/identity?nonce=${nonce} HTTP/1.1`, "Host: evil.example", "", ""];
    await connection.write(new TextEncoder().encode(lines.join("\r\n")));
    const bytes = new Uint8Array(20);
    await connection.read(bytes);
    assert.match(new TextDecoder().decode(bytes), /^HTTP\/1\.1 421 /);
  }));

Deno.test("hostile configuration: a url that redirects to the real server, or from it, gets nothing", () =>
  world(async ({ server, run, token }) => {
    await using elsewhere = startThief(() => Response.json({}));
    for (const target of [server.url, elsewhere.url]) {
      for (const status of [301, 302, 307, 308]) {
        await using thief = startThief(({ url }) => {
          const { pathname, search } = new URL(url);
          return new Response(null, { status, headers: { location: target + pathname + search } });
        });
        const ran = await run(thief.url);
        assert.equal(ran.code, 1);
        assert.match(ran.err, /a token is not carried on/);
        assertNothingStolen(thief, token);
      }
    }
    assert.deepEqual([server.seen, elsewhere.asked], [[], []]);
  }));

Deno.test("hostile configuration: a token that names no server is sent nowhere before a login", () =>
  world(async ({ run }) => {
    await using thief = startThief(() => Response.json({}));
    for (const args of [["whoami"], ["put", "k", "-"], ["stats"]]) {
      const ran = await run(thief.url, { args, token: BROUGHT });
      assert.equal(ran.code, 1);
      assert.match(ran.err, /only .*config\.toml names it, and the token names no server/);
      assert.match(
        ran.err,
        new RegExp(`hint: if you trust it: vitte-remote-cache login ${thief.url}`),
      );
      assert.ok(!ran.err.includes(BROUGHT));
    }
    assert.deepEqual(thief.asked, [], "not one request");
  }));

Deno.test("hostile configuration: the proof is for one token's server, one origin, and one port", () =>
  world(async ({ dir, server, run, token }) => {
    assert.equal((await run(server.url)).code, 0);
    await Deno.mkdir(dir.join("other"));
    await using other = await startTokenServer(dir.join("other"));
    const ran = await run(other.url);
    assert.equal(ran.code, 1);
    assert.match(ran.err, /it is not the server that made the token/);
    assert.deepEqual(other.seen.map((line) => JSON.parse(line).route), ["identity"]);
    const theirs = await other.tokens.create("ci", defaultRights({ verbs: ["read"] }));
    assert.equal((await run(other.url, { token: theirs.token })).code, 0);
    assert.equal((await run(server.url, { token: theirs.token })).code, 1);
    assert.notEqual(theirs.token, token);
  }));

Deno.test("hostile configuration: a name in the network gets no token over plain HTTP", () =>
  world(async ({ run }) => {
    // 192.0.2.0/24 is for documentation: a request would hang, not be refused at once.
    for (
      const url of ["http://192.0.2.1:8080", "http://cache.example", "http://127.0.0.1.nip.io"]
    ) {
      const ran = await run(url);
      assert.equal(ran.code, 1);
      assert.match(ran.err, /everybody on the way could read it, want https/);
    }
  }));

Deno.test("What the user named needs no proof: --url, VITTE_CACHE_URL and login beat the repository", () =>
  world(async ({ server, run, token }) => {
    await using thief = startThief(() => Response.json({}));
    const real = { VITTE_CACHE_URL: server.url };
    assert.equal((await run(thief.url, { env: real })).code, 0);
    assert.equal((await run(thief.url, { args: ["whoami", "--url", server.url] })).code, 0);
    assert.deepEqual(server.seen.map((line) => JSON.parse(line).route), ["whoami", "whoami"]);
    assert.equal((await run(thief.url, { args: ["login", server.url] })).code, 0);
    const before = server.seen.length;
    assert.equal((await run(server.url, { env: { VITTE_TOKEN: "" } })).code, 0);
    assert.deepEqual(server.seen.slice(before).map((line) => JSON.parse(line).route), ["whoami"]);
    // A login at one server says nothing about another, and its token is for that origin alone.
    const ran = await run(thief.url, { env: { VITTE_TOKEN: "" } });
    assert.equal(ran.code, 1);
    assertNothingStolen(thief, token);
  }));

Deno.test("login to a server that the token does not name is refused, and the token stays here", () =>
  world(async ({ dir, server, run, token }) => {
    await using thief = startThief(({ headers }) =>
      Response.json({
        server_key: "A".repeat(43),
        host: headers.get("host"),
        proof: "A".repeat(43),
      })
    );
    const ran = await run(server.url, { args: ["login", thief.url] });
    assert.equal(ran.code, 1);
    assert.match(ran.err, /it is not the server that made the token/);
    assert.deepEqual(thief.asked.map(({ path }) => path), ["/v1/identity"]);
    assertNothingStolen(thief, token);
    await assert.rejects(Deno.stat(dir.join("home")), Deno.errors.NotFound);
  }));

Deno.test("whoami and login warn from 14 days before a token ends", () =>
  world(async ({ server, run }) => {
    const day = 86_400_000;
    for (const [days, warned] of [[13, true], [15, false]] as const) {
      // The clock of commands stands still, far before the server's.
      const expires = Date.now() + 1000 * day;
      const rights = { ...defaultRights({ verbs: ["read"] }), expires };
      const { token } = await server.tokens.create(`ends-${days}`, rights);
      const clock = { ...stoppedClock, now: () => expires - days * day };
      for (const args of [["whoami"], ["login", server.url]]) {
        const { code, err } = await run(server.url, { args, token, clock });
        assert.equal(code, 0, err);
        assert.equal(err.includes(`expires in ${days} d; an administrator renews it`), warned, err);
      }
    }
  }));

Deno.test("trustedServer() hands out a token only for a server that may have it", () =>
  world(async ({ dir, server, run, token }) => {
    await run(server.url, { args: ["config", "show"] });
    const environment = (VITTE_TOKEN: string) =>
      fakeEnvironment({
        cwd: dir.join("repository"),
        env: { HOME: dir.join("home"), VITTE_TOKEN },
      });
    const trusted = async (text: string, more: { url?: string; insecure?: boolean } = {}) => {
      const settings = await resolveStore(environment(text), { namespace: "default", ...more });
      return await trustedServer(environment(text), settings);
    };
    const good = await trusted(token);
    assert.deepEqual([good?.url, good?.token?.reveal()], [server.url, token]);
    assert.deepEqual(server.seen.map((line) => JSON.parse(line).route), ["identity"]);
    const denied = (thrown: unknown) => isKind(thrown, "permission_denied");
    await assert.rejects(trusted(BROUGHT), denied);
    await assert.rejects(trusted(token, { url: "http://192.0.2.1" }), denied);
    const away = token.slice(0, 21) + toBase64Url(new Uint8Array(32).fill(9)) + token.slice(64);
    await assert.rejects(trusted(away), denied);
    assert.equal((await trusted(""))?.token, undefined);
  }));

Deno.test("A home that can not be written is a warning, and the command goes on", () =>
  world(async ({ dir, server, run }) => {
    await Deno.writeTextFile(dir.join("home"), "a file");
    const ran = await run(server.url);
    assert.equal(ran.code, 0, ran.err);
    assert.match(ran.err, /^vitte-remote-cache: warning: Cannot write the proof /);
    const homeless = await run(server.url, { env: { HOME: "" } });
    assert.deepEqual([homeless.code, homeless.err], [0, ""]);
  }));
