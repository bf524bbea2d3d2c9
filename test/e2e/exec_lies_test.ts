/** Servers that lie to `exec`: what they say is refused, and the command runs. */
import assert from "node:assert/strict";
import { encodeTree } from "../../codec/tree_manifest.ts";
import type { TreeEntry } from "../../codec/tree_manifest.ts";
import type { Bytes } from "../../core/digest.ts";
import { digestOf, EMPTY_DIGEST } from "../../core/digest.ts";
import { TOLERANT_TRANSFER_MS } from "../../core/build_limits.ts";
import { HEADERS } from "../../protocol/url_space.ts";
import { ExecProject } from "../helpers/exec_project.ts";
import { tempDir } from "../helpers/temp.ts";

const TOKEN = `vrc_0123456789abcdef_${"A".repeat(43)}_${"Q".repeat(43)}`;
const OURS = { [HEADERS.requestId]: "1" };
/** Too large to travel with others in one answer. */
const GOOD = new TextEncoder().encode("from the server ".repeat(40_000));
const WRONG = GOOD.map((byte, n) => n === GOOD.length - 1 ? byte ^ 1 : byte);

/** What a lying server has under every key. */
interface Lie {
  readonly manifest: Bytes;
  /** Blobs that it gives out, whatever their digest is; default: the right ones. */
  readonly blob?: (digest: string, right: Bytes | undefined) => Response;
  /** Blobs of the entry behind the manifest. */
  readonly blobs?: readonly { digest: string; size: number }[];
}

/** Answers every look-up with one entry. */
function lying({ manifest, blob, blobs }: Lie) {
  const right = new Map([manifest, GOOD].map((bytes) => [String(digestOf(bytes)), bytes]));
  const stop = new AbortController();
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    signal: stop.signal,
    onListen() {},
  }, (request) => {
    const { pathname } = new URL(request.url);
    const [, , kind, name = ""] = pathname.split("/");
    if (kind === "info") return Response.json(entryOf(name), { headers: OURS });
    const bytes = right.get(name);
    if (kind !== "blobs" || request.method !== "GET") return new Response(null, { status: 500 });
    if (blob) return blob(name, bytes);
    return new Response(bytes ?? null, { status: bytes ? 200 : 404, headers: OURS });
  });
  function entryOf(key: string) {
    const empty = { digest: EMPTY_DIGEST, size: 0 };
    return {
      namespace: "default",
      scope: "main",
      protocol: "exec",
      key,
      content: "tree",
      blobs: [{ digest: digestOf(manifest), size: manifest.length }, ...(blobs ?? [empty, empty])],
      tags: [],
      writer: "x",
      created: 0,
      used: 0,
      cost: 0,
      inputs: {},
      headers: {},
      sequence: 1,
      stamp: { epoch: 0, hlc: "1", device: "0000000000000000", value_hash: "00" },
    };
  }
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.finished;
    },
  };
}

const file = (path: string): TreeEntry => ({
  type: "file",
  path,
  mode: 0o644,
  size: GOOD.length,
  digest: digestOf(GOOD),
});

/** A manifest with another path of the same length in it: what no writer of ours would make. */
function forged(good: string, bad: string): Bytes {
  const bytes = encodeTree([file(good)]);
  const at = new TextDecoder("latin1").decode(bytes).indexOf(good);
  bytes.set(new TextEncoder().encode(bad), at);
  return bytes;
}

const OUT = encodeTree([file("out")]);

Deno.test("exec against a lying server runs the command, writes nothing else, and says why", async (t) => {
  await using dir = await tempDir();
  const project = await ExecProject.create(dir, {});
  const cases: Record<string, [Lie, RegExp]> = {
    "a path that leads out": [{ manifest: forged("aaaout", "../out") }, /Cannot use the tree/],
    "an absolute path": [{ manifest: forged("aaout", "/aout") }, /Cannot use the tree/],
    "a manifest of nothing": [{ manifest: encodeTree([]) }, /"out" is not in it/],
    "other files than were asked for": [
      { manifest: encodeTree([file("main.c")]) },
      /"out" is not in it/,
    ],
    "a manifest that claims a billion files": [
      {
        manifest: (() => {
          const bytes = encodeTree([file("out")]);
          new DataView(bytes.buffer).setUint32(8, 1e9, true);
          return bytes;
        })(),
      },
      /claims 1000000000 entries/,
    ],
    "wrong bytes": [
      {
        manifest: OUT,
        blob: (name, right) =>
          new Response(name === digestOf(GOOD) ? WRONG : right ?? null, {
            headers: OURS,
          }),
      },
      /other digest|another digest/,
    ],
    "no list of files": [{ manifest: GOOD }, /it is no manifest/],
    "an entry of another shape": [{ manifest: OUT, blobs: [] }, /it is none of a run/],
    "a run that printed a terabyte": [
      { manifest: OUT, blobs: [1, 2].map(() => ({ digest: EMPTY_DIGEST, size: 2 ** 40 })) },
      /it is none of a run/,
    ],
  };
  const step = ["--output", "out", "--", "sh", "-c", "echo made here > out"];
  for (const [name, [lie, said]] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using server = lying(lie);
      const place = project.place({ VITTE_CACHE_URL: server.url, VITTE_TOKEN: TOKEN });
      const before = await project.read("main.c");
      const ran = await project.exec(step, place);
      assert.deepEqual([ran.code, ran.report?.result], [0, "ran"], ran.stderr);
      assert.match(ran.said, /warning: going on without the cache/);
      assert.match(ran.said, said);
      assert.equal(await Deno.readTextFile(project.file("out")), "made here\n");
      assert.deepEqual(await project.read("main.c"), before);
      await assert.rejects(Deno.stat(dir.join("out")), Deno.errors.NotFound);
    });
  }
  await t.step("the same server without a lie is believed", async () => {
    await using server = lying({ manifest: OUT });
    const place = project.place({ VITTE_CACHE_URL: server.url, VITTE_TOKEN: TOKEN });
    const ran = await project.exec(step, place);
    assert.equal(ran.report?.result, "hit", ran.stderr);
    assert.deepEqual(await project.read("out"), GOOD);
  });
  await t.step("bytes that never come cost a bounded time", async () => {
    const open: ReadableStreamDefaultController[] = [];
    await using server = lying({
      manifest: OUT,
      blob: (name, right) =>
        name === digestOf(GOOD)
          ? new Response(
            new ReadableStream({ start: (controller) => void open.push(controller) }),
            {
              headers: { ...OURS, "content-length": `${GOOD.length}` },
            },
          )
          : new Response(right ?? null, { headers: OURS }),
    });
    const place = project.place({ VITTE_CACHE_URL: server.url, VITTE_TOKEN: TOKEN });
    await Deno.remove(project.file("out"));
    const began = performance.now();
    const ran = await project.exec(step, place);
    const took = performance.now() - began;
    console.log(`  bytes that never come: ${(took / 1000).toFixed(1)} s`);
    assert.deepEqual([ran.code, ran.report?.result], [0, "ran"], ran.stderr);
    assert.ok(took < TOLERANT_TRANSFER_MS + 6_000, `${took} ms`);
    const names = [...Deno.readDirSync(project.path)].map((item) => item.name);
    assert.deepEqual(names.filter((name) => name.startsWith(".vitte")), [], "half a file is left");
  });
});
