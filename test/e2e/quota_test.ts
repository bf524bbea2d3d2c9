/** Quotas as an operator sets them: from the file of a server to answers, `stats`, `gc` and metrics. */
import assert from "node:assert/strict";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { bodyOf } from "../load/bodies.ts";

const FILE = `
[namespaces.default]
max-size = "1MiB"

[namespaces.default.scopes."pr/*"]
max-entries = 3
`;

Deno.test("a server holds namespaces to the quotas of its file, and tells of them", async () => {
  await using folder = await tempDir();
  const file = folder.join("server.toml");
  await Deno.writeTextFile(file, FILE);
  await using server = await startServer(folder.join("store"), { args: ["--config", file] });
  const ask = async (method: string, path: string, body?: Uint8Array<ArrayBuffer> | string) => {
    const authorization = `Bearer ${server.adminToken}`;
    const headers: Record<string, string> = { authorization };
    if (typeof body === "string") headers["content-type"] = "application/json";
    const request: RequestInit = { method, headers, ...(body === undefined ? {} : { body }) };
    const answer = await fetch(`${server.url}${path}`, request);
    return { status: answer.status, text: await answer.text() };
  };
  for (let n = 0; n < 20; n++) {
    const { status, text } = await ask("PUT", `/v1/entries/k${n}`, bodyOf(n, 100_000));
    assert.equal(status, 201, text);
  }
  assert.equal((await ask("GET", "/v1/entries/k0")).status, 404, "the oldest made room");
  assert.equal((await ask("GET", "/v1/entries/k19")).status, 200);
  const large = await ask("PUT", "/v1/entries/large", bodyOf(99, 1_200_000));
  assert.equal(large.status, 507);
  const problem = JSON.parse(large.text);
  assert.equal(problem.kind, "quota_exceeded");
  assert.match(problem.detail, /1.14 MiB: namespace "default" holds .* of 1.00 MiB/);
  assert.equal((await ask("POST", "/v1/pin", '{"keys":["k19"]}')).status, 200);

  const { namespaces, pinned } = JSON.parse((await ask("GET", "/v1/stats")).text);
  const [whole, share] = namespaces;
  assert.ok(whole.bytes <= 1024 * 1024 && whole.bytes >= 900_000, JSON.stringify(whole));
  assert.deepEqual([whole.max_bytes, share.scope, share.max_entries], [1024 * 1024, "pr/*", 3]);
  assert.deepEqual([pinned.entries, pinned.bytes], [1, 100_000]);
  const report = JSON.parse((await ask("POST", "/v1/admin/gc", '{"dry_run":true}')).text);
  assert.ok(report.next_entries.every(({ what }: { what: string }) => what !== "k19"));
  assert.deepEqual(report.kept.map(({ key, by }: Record<string, string>) => [key, by]), [
    ["k19", "admin"],
  ]);
  const page = (await ask("GET", "/metrics")).text;
  assert.match(page, /^vitte_namespace_max_bytes\{namespace="default",scope=""\} 1048576$/m);
  assert.match(page, /^vitte_let_go_total [1-9]/m);
  assert.match(page, /^vitte_pinned_bytes 100000$/m);
  assert.match(server.log(), /made room in namespace "default": let \d+ entries/);
});
