import assert from "node:assert/strict";
import { defaultRights } from "../auth/rights.ts";
import type { ByteSource } from "../core/bytes.ts";
import { bodyBytes, bytesSource, streamOf, streamSource } from "../core/bytes.ts";
import { digestOf, EMPTY_DIGEST } from "../core/digest.ts";
import type { EntryDraft } from "../core/entry.ts";
import { isKind } from "../core/errors.ts";
import type { ErrorKind } from "../core/errors.ts";
import type { ScanItem } from "../core/metadata_index.ts";
import { parseToken } from "../core/token.ts";
import { assertNoLeaks } from "../test/helpers/leaks.ts";
import type { MemoryCache } from "../test/helpers/memory_cache.ts";
import { tempDir } from "../test/helpers/temp.ts";
import { CLEAN, FREED, startTokenServer } from "../test/helpers/token_server.ts";
import { encodeTree } from "../codec/tree_manifest.ts";
import { connectCache } from "./connect.ts";
import type { RemoteCache } from "./remote_cache.ts";

interface World {
  readonly url: string;
  readonly admin: RemoteCache;
  readonly memory: MemoryCache;
  readonly seen: string[];
  connect(token: string | undefined): RemoteCache;
}

const LARGE = new Uint8Array(3 * 1024 * 1024).map((_, i) => i % 241);
const SMALL = new TextEncoder().encode("object file");

/** A server, and a client with its administrator's token. */
async function withServer(work: (world: World) => Promise<void>): Promise<void> {
  await using folder = await tempDir();
  await assertNoLeaks(async () => {
    await using server = await startTokenServer(folder.path);
    const { url, memory, seen } = server;
    const connect = (token: string | undefined) => connectCache({ url, token });
    await using admin = connect(server.adminToken);
    await work({ url, admin, memory, seen, connect });
    assert.equal(memory.openStreams, 0);
  });
}

const rejectsAs = (promise: Promise<unknown>, kind: ErrorKind) =>
  assert.rejects(promise, (thrown) => {
    assert.ok(isKind(thrown, kind), String(thrown));
    return true;
  });
const source = (bytes: Uint8Array<ArrayBuffer>): ByteSource => ({
  size: bytes.length,
  replayable: true,
  open: () => streamOf(bytes),
});
const draft = (more: Partial<EntryDraft> = {}): EntryDraft => ({
  namespace: "default",
  scope: "main",
  protocol: "kv",
  key: "app/main.o",
  content: "opaque",
  blobs: [],
  tags: [],
  writer: "me, they say",
  created: 1,
  cost: 0,
  inputs: {},
  headers: {},
  mutability: "replaceable",
  ...more,
});

Deno.test("Blobs of a real server: put, get, range, stat, missing, delete, in their own namespace", () =>
  withServer(async ({ admin }) => {
    const blobs = admin.blobs("team");
    for (const bytes of [SMALL, LARGE]) {
      const ref = await blobs.put(digestOf(bytes), source(bytes));
      assert.deepEqual(ref, { digest: digestOf(bytes), size: bytes.length });
      const body = await blobs.get(ref.digest);
      assert.deepEqual(await bodyBytes(body!, 1e9), bytes);
      const part = await blobs.get(ref.digest, { range: { start: 3, end: 1e9 } });
      assert.deepEqual(await bodyBytes(part!, 1e9), bytes.slice(3));
      assert.equal(part?.total, bytes.length);
      const none = await blobs.get(ref.digest, { range: { start: 3, end: 3 } });
      assert.deepEqual([none?.size, none?.total], [0, bytes.length]);
      await rejectsAs(
        blobs.get(ref.digest, { range: { start: bytes.length, end: bytes.length + 1 } }),
        "range_not_satisfiable",
      );
      assert.equal(await admin.blobs("default").get(ref.digest), undefined);
    }
    const unknown = digestOf(new Uint8Array([9]));
    assert.deepEqual(await blobs.stat([digestOf(LARGE), unknown, digestOf(SMALL)]), [
      { digest: digestOf(LARGE), size: LARGE.length },
      undefined,
      { digest: digestOf(SMALL), size: SMALL.length },
    ]);
    assert.deepEqual(
      await blobs.missing([unknown, digestOf(SMALL), EMPTY_DIGEST]),
      new Set([unknown]),
    );
    await blobs.delete([unknown, digestOf(SMALL)]);
    assert.equal(await blobs.get(digestOf(SMALL)), undefined);
  }));

Deno.test("Blobs of a real server: digests found out, wrong ones refused, too large ones too", () =>
  withServer(async ({ admin }) => {
    const blobs = admin.blobs("default");
    assert.equal((await blobs.put(undefined, bytesSource(SMALL))).digest, digestOf(SMALL));
    assert.equal((await blobs.put(undefined, source(LARGE))).digest, digestOf(LARGE));
    assert.equal(
      (await blobs.put(undefined, streamSource(streamOf(SMALL)))).digest,
      digestOf(SMALL),
    );
    assert.equal((await blobs.put(undefined, bytesSource(new Uint8Array(0)))).digest, EMPTY_DIGEST);
    for (const size of [undefined, LARGE.length]) {
      const once = streamSource(streamOf(LARGE), size);
      assert.equal((await blobs.put(undefined, once)).digest, digestOf(LARGE));
    }
    await rejectsAs(blobs.put(digestOf(SMALL), source(LARGE)), "invalid_argument");
    await rejectsAs(blobs.put(undefined, source(new Uint8Array(9 * 1024 * 1024))), "too_large");
  }));

Deno.test("RemoteBlobStore.missing() asks for more than one page of digests", () =>
  withServer(async ({ admin, seen }) => {
    const digests = Array.from(
      { length: 10_001 },
      (_, i) => digestOf(new Uint8Array([i % 256, i >> 8])),
    );
    const blobs = admin.blobs("default");
    await blobs.put(undefined, bytesSource(new Uint8Array([10_000 % 256, 10_000 >> 8])));
    assert.equal((await blobs.missing(digests)).size, 10_000);
    assert.equal(seen.filter((line) => line.includes("blobs.missing")).length, 2);
  }));

Deno.test("Entries of a real server: put, find, body, replace, list, remove", () =>
  withServer(async ({ admin }) => {
    const first = await admin.put(draft({ tags: ["a b", "c,d"], cost: 12 }), source(LARGE));
    assert.equal(first.replaced, undefined);
    assert.deepEqual(first.entry.blobs, [{ digest: digestOf(LARGE), size: LARGE.length }]);
    // The server goes by the token, not by what the draft says.
    assert.equal(first.entry.writer, "admin");
    const lookup = { namespace: "default", scopes: ["main"], protocol: "kv", key: "app/main.o" };
    const found = await admin.find(lookup);
    assert.deepEqual(found?.tags, ["a b", "c,d"]);
    assert.equal(found?.cost, 12);
    assert.equal(typeof found?.stamp.hlc, "bigint");
    assert.deepEqual(await bodyBytes((await admin.body(found!))!, 1e9), LARGE);
    const second = await admin.put(draft(), bytesSource(SMALL));
    assert.equal(second.replaced?.blobs[0]?.digest, digestOf(LARGE));
    assert.equal(await admin.find({ ...lookup, key: "app/other.o" }), undefined);
    assert.equal(await admin.remove([draft(), draft({ key: "nothing" })]), 1);
    assert.equal(await admin.find(lookup), undefined);
  }));

Deno.test("Entries of a real server: further blobs, inputs, trees, other protocols, keys of any script", () =>
  withServer(async ({ admin }) => {
    const more = await admin.blobs("default").put(undefined, bytesSource(SMALL));
    const key = "größe/日本 %2F+&?#.o";
    const wanted = draft({
      key,
      blobs: [more],
      inputs: { src: "1" },
      content: "tree",
      protocol: "tree",
      mutability: "immutable",
    });
    const file = await admin.blobs("default").put(undefined, bytesSource(LARGE));
    const manifest = encodeTree([{ type: "file", path: "f", mode: 0o644, ...file }]);
    await admin.put(wanted, source(manifest));
    const lookup = { namespace: "default", scopes: ["main"], protocol: "tree", key };
    const found = await admin.find(lookup);
    const digests = [digestOf(manifest), more.digest, file.digest];
    assert.deepEqual(found?.blobs.map((blob) => blob.digest), digests);
    const short = await admin.find({ ...lookup, bodyOnly: true });
    assert.deepEqual(short?.blobs.map((blob) => blob.digest), [digestOf(manifest)]);
    assert.deepEqual([found?.content, found?.inputs, found?.key], ["tree", { src: "1" }, key]);
    await rejectsAs(admin.put(wanted, bytesSource(encodeTree([]))), "conflict");
    const other = { ...wanted, key: "other" };
    await rejectsAs(admin.put(other, bytesSource(SMALL)), "invalid_argument");
    const newest = admin.scan({
      namespace: "default",
      protocol: "tree",
      order: "newest",
      prefix: "grö",
      bodyOnly: true,
      limit: 1,
    });
    for await (const item of newest) {
      assert.equal(item.type === "entry" && item.entry.key, key);
      assert.equal(item.type === "entry" && item.entry.blobs.length, 1);
    }
    const lost = { digest: digestOf(new Uint8Array([1])), size: 1 };
    await rejectsAs(admin.link(draft({ blobs: [lost] })), "precondition_failed");
    await rejectsAs(
      admin.put(draft({ headers: { "x-artifact-tag": "1" } }), bytesSource(SMALL)),
      "unsupported",
    );
    assert.equal(await admin.remove([{ ...wanted }]), 1);
  }));

Deno.test("Batches of blobs go to a real server and come back, without those that it lacks", () =>
  withServer(async ({ admin, memory }) => {
    const blobs = admin.blobs("default");
    const small = Array.from({ length: 300 }, (_, n) => {
      const bytes = new TextEncoder().encode(`${n} `.repeat(n * 8));
      return { digest: digestOf(bytes), bytes };
    });
    await blobs.putBatch(small);
    const digests = small.map(({ digest }) => digest);
    assert.equal((await blobs.missing(digests)).size, 0);
    memory.lose(digests[7]!);
    assert.deepEqual([...await blobs.missing(digests)], [digests[7]]);
    const refs = small.map(({ digest, bytes }) => ({ digest, size: bytes.length }));
    assert.deepEqual(await blobs.getBatch(refs), small.toSpliced(7, 1));
    assert.deepEqual(await blobs.getBatch([]), []);
    const wrong = { digest: digests[7]!, bytes: new Uint8Array(3) };
    await rejectsAs(blobs.putBatch([wrong]), "invalid_argument");
    const large = { digest: digestOf(LARGE), bytes: LARGE };
    await rejectsAs(blobs.putBatch([large]), "too_large");
  }));

Deno.test("An immutable entry of a real server is a conflict the second time, as a stream too", () =>
  withServer(async ({ admin }) => {
    const once = draft({ mutability: "immutable" });
    await admin.put(once, source(LARGE));
    await rejectsAs(admin.put(once, source(SMALL)), "conflict");
    await rejectsAs(admin.put(once, bytesSource(SMALL)), "conflict");
  }));

Deno.test("RemoteCache.scan() goes through all pages, and stops at a limit", () =>
  withServer(async ({ admin, memory, seen }) => {
    for (let i = 0; i < 2_100; i++) {
      const key = `p/${String(i).padStart(5, "0")}`;
      await memory.put(draft({ key }), bytesSource(SMALL));
    }
    await memory.put(draft({ key: "q" }), bytesSource(SMALL));
    const keys = async (items: AsyncIterable<ScanItem>) => {
      const found = await Array.fromAsync(items);
      return found.map((item) => item.type === "entry" ? item.entry.key : "");
    };
    const all = await keys(admin.scan({ namespace: "default", prefix: "p/" }));
    assert.equal(all.length, 2_100);
    assert.deepEqual(all, all.toSorted());
    assert.equal(seen.filter((line) => line.includes('"entries"')).length, 3);
    assert.deepEqual(await keys(admin.scan({ prefix: "p/", limit: 2 })), ["p/00000", "p/00001"]);
    assert.deepEqual(await keys(admin.scan({ protocol: "ccache" })), []);
    await rejectsAs(keys(admin.scan({ tombstones: true })), "unsupported");
  }));

Deno.test("Tokens over the wire: a new one works, a rotated and a revoked one do not, at once", () =>
  withServer(async ({ admin, connect, seen }) => {
    const made = await admin.admin.create(
      "ci",
      defaultRights({ verbs: ["read", "write"], scope: "pr/7" }),
    );
    await using ci = connect(made.token);
    assert.deepEqual(await ci.admin.whoami(), {
      backend: "memory",
      id: made.info.id,
      name: "ci",
      verbs: ["read", "write"],
      namespaces: ["default"],
      scope: "pr/7",
      readScopes: ["pr/7", "main"],
      expires: undefined,
    });
    assert.equal((await ci.put(draft(), bytesSource(SMALL))).entry.scope, "pr/7");
    await rejectsAs(ci.blobs("team").get(digestOf(SMALL)), "permission_denied");
    await rejectsAs(ci.admin.list(), "permission_denied");
    const rotated = await admin.admin.rotate("ci");
    await rejectsAs(ci.admin.whoami(), "unauthenticated");
    await using fresh = connect(rotated.token);
    assert.equal((await fresh.admin.whoami()).name, "ci");
    assert.notEqual((await admin.admin.revoke("ci")).revoked, undefined);
    await rejectsAs(fresh.admin.whoami(), "unauthenticated");
    await using nobody = connect(undefined);
    await rejectsAs(nobody.totals(), "unauthenticated");
    assert.deepEqual((await admin.admin.list()).map((info) => info.name), ["admin", "ci", "ci"]);
    await rejectsAs(admin.admin.create("ci", defaultRights({ verbs: ["read"] })), "conflict");
    await rejectsAs(admin.admin.revoke("nobody"), "not_found");
    const secrets = [made.token, rotated.token].map((token) => token.slice(65));
    for (const line of seen) for (const secret of secrets) assert.ok(!line.includes(secret));
  }));

Deno.test("Maintenance and facts over the wire", () =>
  withServer(async ({ admin }) => {
    assert.deepEqual(await admin.admin.verify({ repair: true }), CLEAN);
    assert.deepEqual(await admin.admin.gc(), FREED);
    await admin.put(draft(), bytesSource(SMALL));
    assert.equal((await admin.totals()).entries, 1);
    assert.equal((await admin.admin.stats()).version, "0.0.0");
  }));

Deno.test("A client asks who the server is before it sends the token, and sends it to no other", () =>
  withServer(async ({ url, admin, seen }) => {
    const made = await admin.admin.create("ci", defaultRights({ verbs: ["read"] }));
    await using good = connectCache({ url, token: made.token, checkIdentity: true });
    await good.admin.whoami();
    await good.admin.whoami();
    assert.equal(seen.filter((line) => line.includes('"identity"')).length, 1);
    const other = made.token.slice(0, 21) + "A".repeat(43) + made.token.slice(64);
    assert.ok(parseToken(other));
    await using wrong = connectCache({ url, token: other, checkIdentity: true });
    const before = seen.length;
    await rejectsAs(wrong.admin.whoami(), "permission_denied");
    assert.deepEqual(seen.slice(before).map((line) => JSON.parse(line).route), ["identity"]);
  }));
