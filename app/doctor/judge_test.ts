/** Verdicts on facts that no test can bring about for real. */
import assert from "node:assert/strict";
import { systemClock } from "../../core/clock.ts";
import type { WhoAmI } from "../../protocol/json.ts";
import { judgeSources } from "./environment_checks.ts";
import { Findings, ok } from "./finding.ts";
import { judgeAddress } from "./examine_server.ts";
import { judgeName, judgePort } from "./network.ts";
import { judgeClock, judgeServer, judgeVersion } from "./server_checks.ts";
import { judgeBackend, judgeDisk, judgeTotals } from "./store_checks.ts";
import type { Target } from "./target.ts";
import { proxyFor } from "./target.ts";
import { judgeTls } from "./tls.ts";
import { judgeRights } from "./token_checks.ts";
import type { Visit } from "./visitor.ts";
import { judgeDownload, judgeUpload, PROBE_BYTES } from "./way.ts";

const TARGET: Target = {
  url: new URL("https://cache.example"),
  base: "https://cache.example",
  host: "cache.example",
  port: 443,
  namespace: "default",
  need: [],
  proxy: undefined,
  proxyEnv: {},
  clock: systemClock,
  signal: new AbortController().signal,
};

function visit(status: number, headers: Record<string, string> = {}, more = {}): Visit {
  return { status, headers: new Headers(headers), text: "", bytes: 0, ours: false, ...more };
}

Deno.test("doctor: plain HTTP to another machine is a failure, with --insecure a warning", () => {
  const judge = (exposed: boolean, insecure: boolean) =>
    judgeAddress("http://cache.example", { exposed, insecure }).state;
  assert.equal(judge(false, false), "ok");
  assert.equal(judge(true, false), "failed");
  assert.equal(judge(true, true), "warning");
});

Deno.test("doctor: what answers in the place of the server is told apart", () => {
  const judge = (status: number, headers: Record<string, string> = {}, ours = false) =>
    judgeServer(TARGET, visit(status, headers, { ours }));
  assert.equal(judge(200, {}, true).state, "ok");
  assert.match(judge(200).detail, /something else answers/);
  assert.match(
    judge(302, { location: "https://sso.example/login" }).detail,
    /https:\/\/sso\.example/,
  );
  assert.match(judge(502).detail, /no server behind it/);
  assert.match(judge(421, {}, true).hint ?? "", /--public-url https:\/\/cache\.example/);
  assert.doesNotMatch(judge(404, { server: "evil<b>" }).detail, /evil/);
});

Deno.test("doctor: names and ports that do not answer say what to look at", () => {
  assert.match(judgeName("x", { code: "ENOTFOUND" }).hint ?? "", /VPN/);
  assert.equal(judgeName("x", { addresses: [] }).state, "failed");
  const refused = { reached: false, why: "refused" } as const;
  assert.match(judgePort(TARGET, refused).hint ?? "", /no port is named, so 443 was tried/);
  const silent = { reached: false, why: "silent" } as const;
  assert.match(judgePort(TARGET, silent).hint ?? "", /firewall/);
  const proxy = proxyFor(TARGET.url, { HTTPS_PROXY: "http://u:p@proxy.example:3128" });
  const behind = judgePort({ ...TARGET, proxy }, refused);
  assert.match(behind.detail, /proxy proxy\.example, port 3128/);
  assert.match(behind.hint ?? "", /HTTPS_PROXY names it.*NO_PROXY/);
});

Deno.test("doctor: the environment's proxies are found as programs find them", () => {
  const of = (url: string, env: Record<string, string>) => proxyFor(new URL(url), env)?.url.host;
  assert.equal(of("http://a.example", { http_proxy: "p:1", HTTP_PROXY: "q:1" }), "p:1");
  assert.equal(of("https://a.example", { http_proxy: "p:1" }), undefined);
  assert.equal(of("http://a.example", { http_proxy: "p:1", no_proxy: ".example" }), undefined);
  assert.equal(of("http://a.example", { http_proxy: "p:1", NO_PROXY: "*" }), undefined);
  assert.equal(of("http://a.example", { http_proxy: "p:1", no_proxy: "b.example" }), "p:1");
  assert.equal(of("http://a.example", { http_proxy: "p:1", no_proxy: "a.example:80" }), undefined);
});

Deno.test("doctor: the first thing that is wrong with a certificate is what is said", () => {
  const good = { from: 0, until: 1e12, selfSigned: false, nameMatches: true, names: "DNS:x" };
  const judge = (more: Partial<typeof good>, trusted = true) =>
    judgeTls({ trusted, certificate: { ...good, ...more } }, "x", 1e11);
  assert.equal(judge({}).state, "ok");
  assert.match(judge({ until: 1 }).detail, /expired/);
  assert.match(judge({ from: 2e11 }).hint ?? "", /clock/);
  assert.match(judge({ nameMatches: false }, false).detail, /other names/);
  assert.match(judge({ selfSigned: true }, false).detail, /signed by itself/);
  assert.match(judge({}, false).detail, /does not know who signed/);
  assert.equal(judge({ until: 1e11 + 86_400_000 }).state, "warning");
});

Deno.test("doctor: clocks may differ by a minute, in both directions", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const judge = (seconds: number) => judgeClock(new Date(now + seconds * 1000).toUTCString(), now);
  assert.equal(judge(59).state, "ok");
  assert.equal(judge(-59).state, "ok");
  assert.match(judge(120).detail, /2 min 0 s behind/);
  assert.match(judge(-7200).detail, /2 h.* ahead of/);
  assert.equal(judgeClock(null, now).state, "warning");
  assert.equal(judgeClock("soon", now).state, "warning");
});

Deno.test("doctor: 32 MB that do not arrive as they were sent", () => {
  const there = (bytes: number, sent_as: string) =>
    judgeUpload(visit(200, {}, { ours: true, text: JSON.stringify({ bytes, sent_as }) }), 1000);
  assert.equal(there(PROBE_BYTES, "length").state, "ok");
  assert.equal(there(PROBE_BYTES, "chunked").state, "warning");
  assert.equal(there(PROBE_BYTES - 1, "length").state, "failed");
  assert.match(judgeUpload(visit(413, { server: "nginx" }), 1).detail, /\(nginx\).* 413/);
  assert.equal(judgeUpload(visit(404, {}, { ours: true }), 1).state, "ok");
  assert.equal(judgeUpload(visit(504), 1).state, "failed");
  const length = { "content-length": `${PROBE_BYTES}` };
  const back = (headers: Record<string, string>, bytes = PROBE_BYTES) =>
    judgeDownload(visit(200, headers, { ours: true, bytes }), 1000);
  assert.equal(back(length).state, "ok");
  assert.match(back({}).detail, /takes the length off answers/);
  assert.match(back({ "content-encoding": "gzip" }).hint ?? "", /gzip off/);
  assert.equal(back(length, 5).state, "failed");
});

Deno.test("doctor: totals, disk, version and backend", () => {
  const totals = {
    entries: 1,
    blobs: 1,
    chunks: 1,
    logical_bytes: 1,
    stored_bytes: 1,
    hits: 0,
    misses: 0,
  };
  const hidden = judgeTotals({ ...totals, masked_errors: 2, masked: { nx: { token_expired: 2 } } });
  assert.match(hidden[0]!.detail, /nx: token_expired 2/);
  assert.match(hidden[0]!.hint ?? "", /token rotate/);
  const states = (more: Record<string, number>) =>
    judgeTotals({ ...totals, ...more }).map(({ state }) => state);
  assert.deepEqual(states({}), ["ok"]);
  assert.deepEqual(states({ masked_errors: 3, quarantined: 1 }), ["warning", "warning"]);
  assert.match(judgeTotals({ ...totals, masked_errors: 3 })[0]!.detail, /^3 errors/);
  assert.equal(judgeDisk({ free: 10, total: 100, reserve: 5 }).state, "ok");
  assert.match(judgeDisk({ free: 4, total: 100, reserve: 5 }).detail, /writes are refused/);
  assert.equal(judgeVersion("1.0.0", "1.0.0").state, "ok");
  assert.equal(judgeVersion("1.1.0", "1.0.0").state, "warning");
  assert.equal(judgeBackend({ expected: "s3", from: "f" }, "s3").state, "ok");
  assert.equal(judgeBackend({ expected: "s3", from: "f" }, "fs").state, "warning");
  assert.equal(judgeBackend({ expected: "s3", from: "f" }, undefined).state, "ok");
});

Deno.test("doctor: rights are judged by what they are needed for", () => {
  const who = (verbs: WhoAmI["verbs"], namespaces = ["default"]): WhoAmI => ({
    id: "0",
    name: "ci",
    verbs,
    namespaces,
    scope: "main",
    read_scopes: ["main"],
    expires: null,
  });
  const judge = (me: WhoAmI, need: ("read" | "write")[] = [], namespace = "default") =>
    judgeRights(me, { namespace, need }).map(({ state }) => state).join();
  assert.equal(judge(who(["read", "write"])), "ok");
  assert.equal(judge(who(["read"])), "warning");
  assert.equal(judge(who(["read"]), ["read"]), "ok");
  assert.equal(judge(who(["read"]), ["read", "write"]), "failed");
  assert.equal(judge(who(["write"])), "failed");
  assert.equal(judge(who(["admin"], ["*"])), "warning");
  assert.equal(judge(who(["read", "write"], ["a"])), "failed");
  assert.equal(judge(who(["read"], ["a"]), ["write"]), "failed,failed");
});

Deno.test("doctor: what a check throws is a failure, but for the end of the command", async () => {
  const begun: string[] = [];
  const findings = new Findings((check) => begun.push(check));
  const { signal } = new AbortController();
  const good = await findings.look("a", signal, () => Promise.resolve(ok("fine")));
  const bad = await findings.look("b", signal, () => Promise.reject(new Error("no")));
  assert.deepEqual([good, bad], [true, false]);
  assert.deepEqual(begun, ["a", "b"]);
  assert.deepEqual(findings.all.map(({ state }) => state), ["ok", "failed"]);
  const ended = AbortSignal.abort(new DOMException("SIGINT", "AbortError"));
  await assert.rejects(findings.look("c", ended, () => Promise.reject(new Error("no"))), /SIGINT/);
});

Deno.test("doctor: a setting that is named twice alike is no contradiction", () => {
  const judge = (a: string | undefined, b: string | undefined) =>
    judgeSources("the server", [{ source: "--url", value: a }, { source: "ENV", value: b }]);
  assert.equal(judge("x", "x"), undefined);
  assert.equal(judge(undefined, "x"), undefined);
  assert.equal(judge("x", ""), undefined);
  assert.match(judge("x", "y")!.detail, /--url \(x\) is used, ENV \(y\) is not/);
});
