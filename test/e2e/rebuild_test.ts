/** The index file deleted: everything comes back from the log, and tokens are untouched. */
import assert from "node:assert/strict";
import type { RealServer } from "../helpers/real_server.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

/** Entries of the large store; the full size is `VITTE_REBUILD_ENTRIES=100000`. */
const ENTRIES = Number(Deno.env.get("VITTE_REBUILD_ENTRIES") ?? 20_000);
const CONNECTIONS = 64;

Deno.test("a deleted index comes back with entries, tombstones and visibility", async () => {
  await using folder = await tempDir();
  const dir = `${folder.path}/store`;
  const server = await startServer(dir);
  const made = await runCli(
    ["token", "create", "reader", "--allow", "read", "--url", server.url, "--namespace", "other"],
    { env: { VITTE_TOKEN: server.adminToken } },
  );
  assert.equal(made.code, 0, made.stderr);
  const reader = made.stdout.trim();
  const gone = await runCli(["token", "create", "gone", "--allow", "read", "--url", server.url], {
    env: { VITTE_TOKEN: server.adminToken },
  });
  const revoked = await runCli(["token", "revoke", "gone", "--url", server.url], {
    env: { VITTE_TOKEN: server.adminToken },
  });
  assert.equal(revoked.code, 0, revoked.stderr);

  await putMany(server, ENTRIES);
  for (let n = 0; n < 10; n++) await call(server, "DELETE", `/v1/entries/k${n}`);
  const seen = await call(
    server,
    "PUT",
    "/v1/blobs/" + await sha("seen in default"),
    "seen in default",
  );
  assert.equal(seen.status, 201);
  const before = await stats(server);
  assert.equal(before.entries, ENTRIES - 10);
  await server.stop();

  for (const suffix of ["", "-wal", "-shm"]) await removeIfThere(`${dir}/index.sqlite${suffix}`);
  const began = performance.now();
  await using again = await startServer(dir);
  const seconds = (performance.now() - began) / 1000;
  console.info(`${ENTRIES} entries rebuilt, server up after ${seconds.toFixed(1)} s`);
  const after = await stats(again);
  for (const name of ["entries", "blobs", "chunks", "logical_bytes", "stored_bytes"]) {
    assert.equal(after[name], before[name], name);
  }
  assert.equal((await call(again, "GET", "/v1/entries/k3")).status, 404, "a deleted entry is back");
  const last = await call(again, "GET", `/v1/entries/k${ENTRIES - 1}`);
  assert.equal(last.text, body(ENTRIES - 1));
  const path = "/v1/blobs/" + await sha("seen in default");
  assert.equal((await call(again, "GET", path)).status, 200);
  assert.equal((await call(again, "GET", `/ns/other${path}`)).status, 404, "visible elsewhere");
  assert.equal((await call(again, "GET", `/ns/other${path}`, undefined, reader)).status, 404);
  assert.equal((await call(again, "GET", "/v1/whoami", undefined, reader)).status, 200);
  assert.equal((await call(again, "GET", "/v1/whoami", undefined, gone.stdout.trim())).status, 401);
});

Deno.test("deleted tables of the packs come back too, and a damaged index is set aside", async () => {
  await using folder = await tempDir();
  const dir = `${folder.path}/store`;
  {
    await using server = await startServer(dir);
    await putMany(server, 200);
  }
  for await (const item of Deno.readDir(dir)) {
    if (item.name.startsWith("packs.sqlite")) await Deno.remove(`${dir}/${item.name}`);
  }
  await Deno.writeTextFile(`${dir}/index.sqlite`, "this is no database at all");
  await using server = await startServer(dir);
  assert.equal((await stats(server)).entries, 200);
  assert.equal((await call(server, "GET", "/v1/entries/k199")).text, body(199));
  const verified = await runCli(["verify", "--url", server.url], {
    env: { VITTE_TOKEN: server.adminToken },
  });
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
});

async function putMany(server: RealServer, count: number): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (let n = next++; n < count; n = next++) {
      const answer = await call(server, "PUT", `/v1/entries/k${n}`, body(n));
      assert.equal(answer.status, 201, answer.text);
    }
  }));
}

function body(n: number): string {
  return `the value of entry number ${n}`;
}

async function call(
  server: RealServer,
  method: string,
  path: string,
  text?: string,
  token = server.adminToken,
): Promise<{ status: number; text: string }> {
  const response = await fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(text === undefined ? {} : { body: text }),
  });
  return { status: response.status, text: await response.text() };
}

async function stats(server: RealServer): Promise<Record<string, number>> {
  return JSON.parse((await call(server, "GET", "/v1/stats")).text);
}

async function sha(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${new Uint8Array(digest).toHex()}`;
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
}
