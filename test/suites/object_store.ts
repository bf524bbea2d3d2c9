/**
 * The conformance suite of `ObjectStore`: every medium and every layer passes it. A table of cases;
 * each is its own step with a fresh store, is run once with every form of source, and ends with a
 * look at what is left behind.
 */
import assert from "node:assert/strict";
import { shareOf } from "../helpers/long.ts";
import { bytesSource, streamSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { ObjectStore } from "../../core/object_store.ts";
import { ABORT_CASES } from "./object_store_abort.ts";
import { LIST_CASES } from "./object_store_list.ts";
import { READ_CASES } from "./object_store_read.ts";
import { WRITE_CASES } from "./object_store_write.ts";

/** A fresh store; disposed after its case. */
export interface ObjectStoreSubject extends Partial<AsyncDisposable> {
  readonly store: ObjectStore;
  /** What is on the medium but in no list, what is still held: nothing, at the end of a case. */
  leftovers?(): Promise<string[]>;
}

/** Makes a source of these bytes in one of its forms. */
export type SourceForm = (bytes: Bytes) => ByteSource | Promise<ByteSource>;

/** Settings of {@linkcode objectStoreSuite}. */
export interface ObjectStoreKnobs {
  /** Further forms of sources besides the three that every store is given. */
  readonly forms?: Readonly<Record<string, SourceForm>>;
  /** Leave out the three: the further forms only. */
  readonly onlyTheseForms?: boolean;
}

/** What a case is given. */
export interface CaseContext {
  readonly store: ObjectStore;
  readonly source: SourceForm;
  /** Puts bytes in the form of this run. */
  put(key: string, bytes: Bytes): Promise<void>;
}

/** Cases by name; a name goes on the sentence "a store ...". */
export type Cases = Readonly<Record<string, (c: CaseContext) => Promise<void>>>;

const CASES: Cases = { ...READ_CASES, ...WRITE_CASES, ...LIST_CASES, ...ABORT_CASES };

/** Cut so that neither chunk nor slice borders fall together, with an empty chunk in between. */
function inChunks(bytes: Bytes): ReadableStream<Bytes> {
  const sizes = [1, 0, 7, 4096, 65_537, 200_003];
  let offset = 0;
  let turn = 0;
  return new ReadableStream<Bytes>({
    pull(controller) {
      if (offset >= bytes.length) return controller.close();
      const size = sizes[turn++ % sizes.length]!;
      controller.enqueue(bytes.slice(offset, offset + size));
      offset += size;
    },
  }, { highWaterMark: 0 });
}

const FORMS: Readonly<Record<string, SourceForm>> = {
  "bytes": (bytes) => bytesSource(bytes),
  "sized stream": (bytes) => streamSource(inChunks(bytes), bytes.length),
  "unsized stream": (bytes) => ({
    size: undefined,
    replayable: true,
    open: () => inChunks(bytes),
  }),
};

/** Registers the suite for one kind of store. `open` is called once a case and form. */
export function objectStoreSuite(
  name: string,
  open: () => Promise<ObjectStoreSubject>,
  knobs: ObjectStoreKnobs = {},
): void {
  const forms = { ...(knobs.onlyTheseForms ? {} : FORMS), ...knobs.forms };
  const names = Object.keys(forms);
  for (const [form, source] of Object.entries(forms)) {
    Deno.test(`ObjectStore suite: ${name}, from ${form}`, async (t) => {
      const cases = shareOf(CASES, names.indexOf(form), names.length);
      for (const [what, run] of Object.entries(cases)) {
        await t.step(what, async () => {
          const subject = await open();
          try {
            const { store } = subject;
            await run({
              store,
              source,
              async put(key, bytes) {
                await store.put(key, await source(bytes));
              },
            });
            assert.deepEqual(await subject.leftovers?.() ?? [], [], "left behind");
            await store[Symbol.asyncDispose]();
          } finally {
            await subject[Symbol.asyncDispose]?.();
          }
        });
      }
    });
  }
}

/** How many cases there are, so that a test can say that none got lost. */
export const CASE_COUNT = Object.keys(CASES).length;
