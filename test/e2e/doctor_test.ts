/** Planted misconfigurations: `doctor` finds each by its name and says what to do. */
import assert from "node:assert/strict";
import type { Finding } from "../../app/doctor/finding.ts";
import type { Faults } from "../helpers/bad_proxy.ts";
import { startBadProxy } from "../helpers/bad_proxy.ts";
import { createAuthority } from "../helpers/authority.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

interface Diagnosis {
  readonly code: number;
  readonly findings: readonly Finding[];
  readonly stderr: string;
}

async function doctor(words: string[], env: Record<string, string> = {}): Promise<Diagnosis> {
  const { code, stdout, stderr } = await runCli(["doctor", "--json", ...words], { env });
  return { code, findings: JSON.parse(stdout), stderr };
}

/** The one thing that is wrong, as expected, and no token in what was said. */
function assertFinds(
  { code, findings, stderr }: Diagnosis,
  wanted: { check: string; state: "warning" | "failed"; detail: RegExp; hint: RegExp },
): void {
  const bad = findings.filter(({ state }) => state !== "ok");
  assert.deepEqual(bad.map(({ check }) => check), [wanted.check], JSON.stringify(findings));
  const [found] = bad;
  assert.equal(found!.state, wanted.state);
  assert.match(found!.detail, wanted.detail);
  assert.match(found!.hint ?? "", wanted.hint);
  assert.equal(code, wanted.state === "failed" ? 1 : 0);
  assert.doesNotMatch(JSON.stringify(findings) + stderr, /vrc_[0-9a-f]{16}/);
}

async function token(server: RealServer, ...words: string[]): Promise<string> {
  const env = { VITTE_TOKEN: server.adminToken };
  const made = await runCli(["token", "create", ...words, "--url", server.url], { env });
  assert.equal(made.code, 0, made.stderr);
  return made.stdout.trim();
}

Deno.test("doctor: where all is well it says so, and leaves nothing behind", async () => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  for (const allow of ["read,write", "read,write,invalidate"]) {
    const VITTE_TOKEN = await token(server, allow.replaceAll(",", "-"), "--allow", allow);
    const { code, findings } = await doctor(["--url", server.url], { VITTE_TOKEN });
    assert.equal(code, 0);
    assert.deepEqual(findings.filter(({ state }) => state !== "ok"), []);
    assert.ok(findings.length >= 12, `${findings.length} findings`);
  }
  const reader = await token(server, "reader", "--allow", "read");
  const read = await doctor(["--url", server.url, "--need", "read"], { VITTE_TOKEN: reader });
  assert.equal(read.code, 0);
  assert.deepEqual(read.findings.filter(({ state }) => state !== "ok"), []);
  const env = { VITTE_TOKEN: server.adminToken };
  const stats = await runCli(["stats", "--json", "--url", server.url], { env });
  const { entries, blobs } = JSON.parse(stats.stdout);
  assert.deepEqual({ entries, blobs }, { entries: 0, blobs: 0 });
});

interface PlantedProxy {
  readonly name: string;
  readonly faults: Faults;
  readonly wanted: Parameters<typeof assertFinds>[1];
}

const PROXIES: readonly PlantedProxy[] = [
  {
    name: "a proxy that takes 1 MB at most",
    faults: { maxBody: 1_000_000 },
    wanted: {
      check: "32 MB there",
      state: "failed",
      detail: /proxy in between .* with 413/,
      hint: /client_max_body_size 0/,
    },
  },
  {
    name: "a proxy that takes the length off answers",
    faults: { dropLength: true },
    wanted: {
      check: "32 MB back",
      state: "warning",
      detail: /takes the length off answers/,
      hint: /hand Content-Length on/,
    },
  },
  {
    name: "a proxy that takes the length off requests",
    faults: { dropRequestLength: true },
    wanted: {
      check: "32 MB there",
      state: "warning",
      detail: /takes the length off requests/,
      hint: /hand Content-Length on/,
    },
  },
  {
    name: "a proxy that takes the Upgrade off",
    faults: { dropUpgrade: true },
    wanted: {
      check: "upgrade",
      state: "warning",
      detail: /takes the Upgrade header off/,
      hint: /proxy_set_header Upgrade \$http_upgrade/,
    },
  },
  {
    name: "a proxy that cuts long answers off",
    faults: { cutAnswerAfter: 1_000_000 },
    wanted: { check: "32 MB back", state: "failed", detail: /breaks off/, hint: /time-outs/ },
  },
  {
    name: "a proxy that puts another Host in place",
    faults: { host: "127.0.0.1:1" },
    wanted: {
      check: "identity",
      state: "failed",
      detail: /sees the name 127\.0\.0\.1:1 instead of/,
      hint: /proxy_set_header Host \$http_host/,
    },
  },
  {
    name: "a clock that is an hour ahead",
    faults: { skewMs: -3_600_000 },
    wanted: { check: "clock", state: "warning", detail: /1 h.* ahead of/, hint: /NTP/ },
  },
];

Deno.test("doctor finds what proxies in between do", async (t) => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const VITTE_TOKEN = await token(server, "ci", "--allow", "read,write");
  for (const { name, faults, wanted } of PROXIES) {
    await t.step(name, async () => {
      await using proxy = await startBadProxy(server.url, faults);
      assertFinds(await doctor(["--url", proxy.url], { VITTE_TOKEN }), wanted);
    });
  }
});

Deno.test("doctor finds what is wrong with a token", async (t) => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  await using other = await startServer(`${folder.path}/other`);
  const good = await token(server, "ci", "--allow", "read,write");
  const brief = await token(server, "brief", "--allow", "read,write", "--expires", "1s");
  const url = ["--url", server.url];
  const look = async (VITTE_TOKEN: string, ...words: string[]) =>
    await doctor([...url, ...words], { VITTE_TOKEN });

  await t.step("none at all", async () => {
    assertFinds(await look(""), {
      check: "token",
      state: "failed",
      detail: /no token is named/,
      hint: /token create NAME .* VITTE_TOKEN/,
    });
  });
  await t.step("a damaged one", async () => {
    assertFinds(await look(good.slice(0, -4)), {
      check: "token",
      state: "failed",
      detail: /damaged: it has 104 characters, want 108/,
      hint: /copy it again/,
    });
  });
  await t.step("one of another server, which is not sent", async () => {
    assertFinds(await look(await token(other, "ci", "--allow", "read,write")), {
      check: "identity",
      state: "failed",
      detail: /another server made this token.* it was not sent/,
      hint: /is the address right\? else get a token of this server/,
    });
  });
  await t.step("none is sent to a server that can not prove who it is", async () => {
    const seen: (string | null)[] = [];
    await using hostile = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      (request) => {
        seen.push(request.headers.get("authorization"));
        const answer = { server_key: "A".repeat(43), host: "x", proof: "A".repeat(43) };
        return Response.json(answer, { headers: { "vitte-request-id": "1" } });
      },
    );
    const { code } = await doctor(["--url", `http://127.0.0.1:${hostile.addr.port}`], {
      VITTE_TOKEN: good,
    });
    assert.equal(code, 1);
    assert.equal(seen.length, 2, "is it there, and who is it");
    assert.deepEqual(seen, [null, null]);
  });
  await t.step("one that may only read, where builds are to write", async () => {
    const reader = await token(server, "reader", "--allow", "read");
    assertFinds(await look(reader, "--need", "read,write"), {
      check: "rights",
      state: "failed",
      detail: /may not write, only read/,
      hint: /token create NAME --allow read,write/,
    });
    assertFinds(await look(reader), {
      check: "rights",
      state: "warning",
      detail: /may only read/,
      hint: /--need read.*--allow read,write/,
    });
  });
  await t.step("an administrator's, for builds", async () => {
    assertFinds(await look(server.adminToken), {
      check: "rights",
      state: "warning",
      detail: /administrator's token/,
      hint: /make one for builds/,
    });
  });
  await t.step("one for another namespace", async () => {
    assertFinds(await look(good, "--namespace", "team-b"), {
      check: "rights",
      state: "failed",
      detail: /not for the namespace team-b, but for default/,
      hint: /--namespace default, or get one: .* --namespace team-b/,
    });
  });
  await t.step("one that ends within 14 days", async () => {
    const soon = await token(server, "soon", "--allow", "read,write", "--expires", "13d");
    assertFinds(await look(soon), {
      check: "token",
      state: "warning",
      detail: /expires in 1[23] d/,
      hint: /token rotate soon/,
    });
  });
  await t.step("one that was revoked", async () => {
    const gone = await token(server, "gone", "--allow", "read,write");
    const env = { VITTE_TOKEN: server.adminToken };
    await runCli(["token", "revoke", "gone", ...url], { env });
    const wanted = { check: "token", state: "failed", hint: /get|for a new one/ } as const;
    assertFinds(await look(gone), { ...wanted, detail: /was revoked/ });
  });
  await t.step("one that has expired", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assertFinds(await look(brief), {
      check: "token",
      state: "failed",
      detail: /has expired/,
      hint: /token rotate NAME/,
    });
  });
  await t.step("two of them", async () => {
    const file = `${folder.path}/token`;
    await Deno.writeTextFile(file, good);
    const env = { VITTE_TOKEN: brief, VITTE_TOKEN_FILE: file };
    assertFinds(await doctor(url, env), {
      check: "settings",
      state: "warning",
      detail: /two places name the token: VITTE_TOKEN_FILE is used, VITTE_TOKEN is not/,
      hint: /unset VITTE_TOKEN/,
    });
  });
  await t.step("a file that is not there", async () => {
    assertFinds(await doctor([...url, "--token-file", `${folder.path}/none`]), {
      check: "settings",
      state: "failed",
      detail: /Cannot read the token file/,
      hint: /does it exist/,
    });
  });
});

Deno.test("doctor finds what is wrong with an address", async (t) => {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const VITTE_TOKEN = await token(server, "ci", "--allow", "read,write");
  await t.step("a wrong port", async () => {
    const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    free.close();
    assertFinds(await doctor(["--url", `http://127.0.0.1:${port}`], { VITTE_TOKEN }), {
      check: "port",
      state: "failed",
      detail: new RegExp(`nothing listens at 127.0.0.1, port ${port}`),
      hint: /is the server running, and is the port the one/,
    });
  });
  await t.step("a name that nobody knows", async () => {
    assertFinds(await doctor(["--url", "https://cache.invalid"]), {
      check: "name",
      state: "failed",
      detail: /nobody knows the name cache\.invalid/,
      hint: /spelled right/,
    });
  });
  await t.step("plain HTTP to another machine", async () => {
    const { code, findings } = await doctor(["--url", "http://cache.invalid"], { VITTE_TOKEN });
    assert.equal(code, 1);
    assert.equal(findings.find(({ check }) => check === "address")?.state, "failed");
  });
  await t.step("https where no TLS is spoken", async () => {
    const url = server.url.replace("http:", "https:");
    assertFinds(await doctor(["--url", url], { VITTE_TOKEN }), {
      check: "certificate",
      state: "failed",
      detail: /does not speak TLS/,
      hint: /begins with http:\/\//,
    });
  });
  await t.step("another web server", async () => {
    await using other = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      () => new Response("It works!", { headers: { server: "Apache/2.4" } }),
    );
    const url = `http://127.0.0.1:${other.addr.port}`;
    assertFinds(await doctor(["--url", url], { VITTE_TOKEN }), {
      check: "server",
      state: "failed",
      detail: /something else answers at .* \(Apache\/2\.4\)/,
      hint: /is the port right/,
    });
  });
  await t.step("a build tool that is sent elsewhere", async () => {
    const env = { VITTE_TOKEN, TURBO_API: "http://old.example/turborepo", HOME: folder.path };
    assertFinds(await doctor(["--url", server.url], env), {
      check: "settings",
      state: "warning",
      detail: /TURBO_API sends Turborepo to http:\/\/old\.example, not to/,
      hint: /setup turborepo/,
    });
  });
});

Deno.test("doctor finds what is wrong with a certificate", async (t) => {
  await using folder = await tempDir();
  const authority = await createAuthority(folder.path);
  const names = "DNS:localhost,IP:127.0.0.1";
  const look = async (wishes: { names: string; from?: number; until?: number }, trust = true) => {
    const { cert, key } = await authority.issue(wishes);
    const dir = await Deno.makeTempDir({ dir: folder.path });
    await using server = await startServer(dir, { args: ["--tls-cert", cert, "--tls-key", key] });
    const made = ["token", "create", "ci", "--allow", "read,write", "--url", server.url];
    const DENO_CERT = authority.cert;
    const { stdout } = await runCli(made, { env: { VITTE_TOKEN: server.adminToken, DENO_CERT } });
    const env = { VITTE_TOKEN: stdout.trim(), ...(trust ? { DENO_CERT } : {}) };
    return await doctor(["--url", server.url], env);
  };
  await t.step("a good one, whose authority this machine trusts", async () => {
    const { code, findings } = await look({ names });
    assert.equal(code, 0);
    assert.deepEqual(findings.filter(({ state }) => state !== "ok"), []);
  });
  await t.step("an authority that this machine does not know", async () => {
    assertFinds(await look({ names }, false), {
      check: "certificate",
      state: "failed",
      detail: /does not know who signed/,
      hint: /DENO_CERT=ca\.pem/,
    });
  });
  await t.step("one that has expired", async () => {
    assertFinds(await look({ names, from: -3, until: -1 }), {
      check: "certificate",
      state: "failed",
      detail: /has expired on/,
      hint: /renew it/,
    });
  });
  await t.step("one for another name", async () => {
    assertFinds(await look({ names: "DNS:elsewhere.example" }), {
      check: "certificate",
      state: "failed",
      detail: /for other names than 127\.0\.0\.1: DNS:elsewhere\.example/,
      hint: /use a name that it is for/,
    });
  });
  await t.step("one that ends within 14 days", async () => {
    assertFinds(await look({ names, until: 5 }), {
      check: "certificate",
      state: "warning",
      detail: /expires in [45] d/,
      hint: /renew it/,
    });
  });
});
