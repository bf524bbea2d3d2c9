/** A store with something of everything in it, and what it must answer. */
import { openEngine } from "../../app/compose.ts";
import type { Engine } from "../../app/engine.ts";
import { bodyBytes, bytesSource } from "../../core/bytes.ts";
import { systemClock } from "../../core/clock.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import type { EntryDraft } from "../../core/entry.ts";
import type { SeededRandom } from "../helpers/random.ts";

/** Segments of 1 MiB, so that a few megabytes are several packs. */
export const MAX_SIZE = 32 * 1024 * 1024;

/** A blob as one namespace sees it. */
export interface WorldBlob {
  readonly namespace: string;
  readonly digest: Digest;
  readonly bytes: Bytes;
}

/** A key, all it ever said (the newest last), and whether it was deleted in the end. */
export interface WorldEntry {
  readonly namespace: string;
  readonly key: string;
  readonly versions: readonly Bytes[];
  readonly removed: boolean;
}

/** What a store holds. */
export interface World {
  readonly dir: string;
  readonly blobs: readonly WorldBlob[];
  readonly entries: readonly WorldEntry[];
  /** Entries that are there to fill a segment of the log; one is like the next. */
  readonly filling: ReadonlySet<WorldEntry>;
  /** Texts of tokens: the administrator's, and one that may only read. */
  readonly tokens: { readonly admin: string; readonly reader: string };
}

/** Opens a store of the tests; `lines` hears what a log would say. */
export function openStore(dir: string, lines: string[] = []): Promise<Engine> {
  return openEngine(dir, {
    clock: systemClock,
    maxSize: MAX_SIZE,
    report: (line) => lines.push(line),
  });
}

/** The draft of an entry of the world. */
export function draftOf(
  { namespace, key }: Pick<WorldEntry, "namespace" | "key">,
  more: Partial<EntryDraft> = {},
): EntryDraft {
  return {
    namespace,
    scope: "main",
    protocol: "kv",
    key,
    content: "opaque",
    blobs: [],
    tags: [],
    writer: "test",
    created: 1,
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "replaceable",
    ...more,
  };
}

/** Fills a new store: small and chunked blobs, replaced and deleted entries, packs of both kinds. */
export async function buildWorld(dir: string, random: SeededRandom): Promise<World> {
  await using engine = await openStore(dir);
  const blobs: WorldBlob[] = [];
  const entries: WorldEntry[] = [];
  const put = async (namespace: string, bytes: Bytes) => {
    const { digest } = await engine.cache.blobs(namespace).put(undefined, bytesSource(bytes));
    blobs.push({ namespace, digest, bytes });
  };
  for (let n = 0; n < 6; n++) await put("default", random.bytes(random.integer(1, 60_000)));
  for (let n = 0; n < 4; n++) await put("default", random.bytes(random.integer(500_000, 800_000)));
  // Stored once, seen by two.
  await put("team-a", blobs[1]!.bytes);
  await put("team-a", blobs[7]!.bytes);
  const write = async (namespace: string, key: string, versions: Bytes[], removed = false) => {
    for (const bytes of versions) {
      await engine.cache.put(draftOf({ namespace, key }), bytesSource(bytes));
    }
    if (removed) await engine.cache.remove([draftOf({ namespace, key })]);
    entries.push({ namespace, key, versions, removed });
  };
  await write("default", "stays", [random.bytes(3000)]);
  await write("default", "replaced", [random.bytes(400), random.bytes(500), random.bytes(600)]);
  await write("default", "removed", [random.bytes(700)], true);
  await write("default", "large", [random.bytes(400_000)]);
  // Long labels fill a segment of the log, so that one of it is sealed.
  const tags = Array.from({ length: 60 }, (_, n) => `${n}:`.padEnd(250, "x"));
  const many = Array.from(
    { length: 90 },
    (_, n) => ({ key: `many/${n}`, bytes: random.bytes(90) }),
  );
  await Promise.all(many.map(async ({ key, bytes }) => {
    await engine.cache.put(draftOf({ namespace: "default", key }, { tags }), bytesSource(bytes));
  }));
  const filling = new Set<WorldEntry>();
  for (const { key, bytes } of many) {
    const entry = { namespace: "default", key, versions: [bytes], removed: false };
    entries.push(entry);
    filling.add(entry);
  }
  await write("team-a", "stays", [random.bytes(100)]);
  for (const { namespace, versions } of entries) {
    for (const bytes of versions) blobs.push({ namespace, digest: digestOf(bytes), bytes });
  }
  const rights = { namespaces: ["*"], scope: "main", readScopes: ["main"], expires: undefined };
  const reader = await engine.tokens.create("reader", { verbs: ["read"], ...rights });
  const admin = (await Deno.readTextFile(engine.adminTokenFile)).trim();
  engine.usage.add([]);
  return { dir, blobs, entries, filling, tokens: { admin, reader: reader.token } };
}

/** The bytes of a blob, `undefined` for a miss. */
export async function readBlob(
  engine: Pick<Engine, "cache">,
  { namespace, digest }: Pick<WorldBlob, "namespace" | "digest">,
): Promise<Bytes | undefined> {
  const body = await engine.cache.blobs(namespace).get(digest);
  return body && await bodyBytes(body, 2_000_000);
}
