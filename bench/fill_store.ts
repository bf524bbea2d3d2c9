/**
 * Makes a store of very many small entries, through the engine's own way of writing:
 * `deno run -A bench/fill_store.ts --dir DIR [--entries 1000000] [--bytes 64]`.
 */
import { parseArgs } from "node:util";
import { openEngine } from "../app/compose.ts";
import type { Bytes } from "../core/digest.ts";
import { bytesSource } from "../core/bytes.ts";
import { systemClock } from "../core/clock.ts";
import type { EntryDraft } from "../core/entry.ts";

/** Entries that are written at a time: they share a round of the writer. */
const AT_A_TIME = 8192;

/** The key of the entry with this number. */
export function fillKey(number: number): string {
  return `fill/${number}`;
}

/** Its body, another one for each number. */
export function fillBody(number: number, bytes: number): Bytes {
  const body = new Uint8Array(bytes);
  new TextEncoder().encodeInto(`${number} `, body);
  return body;
}

/** Fills the store in `dir`, which nobody else has open; tells the seconds it took. */
export async function fillStore(
  dir: string,
  options: {
    readonly entries: number;
    /** Bytes of each body, at least 16. */
    readonly bytes: number;
    /** Hears how many entries are there. */
    readonly onProgress?: (entries: number) => void;
  },
): Promise<number> {
  const { entries, bytes, onProgress = () => {} } = options;
  const begun = performance.now();
  await using engine = await openEngine(dir, { clock: systemClock, maxSize: "none" });
  for (let from = 0; from < entries; from += AT_A_TIME) {
    const count = Math.min(AT_A_TIME, entries - from);
    await Promise.all(
      Array.from({ length: count }, (_, n) => {
        const body = bytesSource(fillBody(from + n, bytes));
        return engine.cache.put(draftOf(fillKey(from + n)), body);
      }),
    );
    onProgress(from + count);
  }
  return (performance.now() - begun) / 1000;
}

function draftOf(key: string): EntryDraft {
  return {
    namespace: "default",
    scope: "main",
    protocol: "kv",
    key,
    content: "opaque",
    blobs: [],
    tags: [],
    writer: "fill",
    created: Date.now(),
    cost: 0,
    inputs: {},
    headers: {},
    mutability: "replaceable",
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      dir: { type: "string" },
      entries: { type: "string", default: "1000000" },
      bytes: { type: "string", default: "64" },
    },
  });
  if (values.dir === undefined) throw new Error("want --dir DIR");
  const entries = Number(values.entries);
  const seconds = await fillStore(values.dir, {
    entries,
    bytes: Number(values.bytes),
    onProgress(done) {
      if (done % (AT_A_TIME * 16) === 0) console.error(`${done} entries`);
    },
  });
  console.log(`${entries} entries in ${seconds.toFixed(1)} s`);
}
