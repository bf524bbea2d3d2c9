/**
 * The conformance suite of `BlobStore`: chunks, memory and the far server pass it. A table of
 * cases; each is its own step with a fresh world, is run once with every form of source, and ends
 * with a look at what is left behind.
 */
import assert from "node:assert/strict";
import type { BlobStore } from "../../core/blob_store.ts";
import type { Bytes, Digest } from "../../core/digest.ts";
import { digestOf } from "../../core/digest.ts";
import { shareOf } from "../helpers/long.ts";
import { FORMS } from "./blob_store_asks.ts";
import type { SourceForm } from "./blob_store_asks.ts";
import { ABORT_CASES } from "./blob_store_abort.ts";
import { BIG_CASES } from "./blob_store_big.ts";
import { LIST_CASES } from "./blob_store_list.ts";
import { READ_CASES } from "./blob_store_read.ts";
import { VIEW_CASES } from "./blob_store_views.ts";
import { WRITE_CASES } from "./blob_store_write.ts";

/** A fresh world; disposed after its case. */
export interface BlobStoreSubject extends AsyncDisposable {
  /** The blobs of a namespace, `a` or `b`; the same world each time. */
  store(namespace: string): BlobStore;
  /** Uploads that nobody ended, records that belong to none: nothing, at the end of a case. */
  leftovers?(): Promise<string[]>;
  /** Bytes of all records, where equal ones are stored once. */
  storedBytes?(): number;
  /** The most bytes that one upload ever had on the way to the writer. */
  mostOutstanding?(): number;
}

/** What a store can not do. All true by default. */
export interface BlobStoreKnobs {
  /** `list` works. */
  readonly lists?: boolean;
  /** A one-time stream above 1 MiB can be put without its digest. */
  readonly digestlessStreams?: boolean;
  /** An abort that comes when all bytes were given still keeps nothing. */
  readonly abortsToTheEnd?: boolean;
  /** The size that a source of bytes says is compared with the bytes. */
  readonly sizedBytes?: boolean;
  /** Equal parts of different blobs are stored once. */
  readonly chunks?: boolean;
  /** An end before the start is refused. */
  readonly strictRanges?: boolean;
}

/** What a case is given. */
export interface CaseContext {
  /** Namespace `a`. */
  readonly store: BlobStore;
  /** Namespace `b`. */
  readonly other: BlobStore;
  readonly subject: BlobStoreSubject;
  readonly source: SourceForm;
  readonly knobs: Required<BlobStoreKnobs>;
  /** Puts bytes into `a` in the form of this run. */
  put(bytes: Bytes): Promise<Digest>;
}

/** Cases by name; a name goes on the sentence "a store ...". */
export type Cases = Readonly<Record<string, (c: CaseContext) => Promise<void>>>;

const CASES: Cases = {
  ...WRITE_CASES,
  ...READ_CASES,
  ...VIEW_CASES,
  ...ABORT_CASES,
};

/** Registers the suite for one kind of store. `open` is called once a case and form. */
export function blobStoreSuite(
  name: string,
  open: () => Promise<BlobStoreSubject>,
  knobs: BlobStoreKnobs = {},
): void {
  const all = {
    lists: true,
    digestlessStreams: true,
    abortsToTheEnd: true,
    strictRanges: true,
    chunks: true,
    sizedBytes: true,
    ...knobs,
  };
  const register = (title: string, cases: Cases, source: SourceForm) =>
    Deno.test(`BlobStore suite: ${name}, ${title}`, async (t) => {
      for (const [what, run] of Object.entries(cases)) {
        await t.step(what, () => runCase(run, { open, source, knobs: all }));
      }
    });
  const forms = Object.entries(FORMS);
  forms.forEach(([form, source], at) => {
    register(`from ${form}`, shareOf(CASES, at, forms.length), source);
  });
  register("large", BIG_CASES, FORMS["sized stream"]!);
  if (all.lists) register("listed", LIST_CASES, FORMS.bytes!);
}

async function runCase(
  run: Cases[string],
  { open, source, knobs }: {
    open: () => Promise<BlobStoreSubject>;
    source: SourceForm;
    knobs: Required<BlobStoreKnobs>;
  },
): Promise<void> {
  await using subject = await open();
  const store = subject.store("a");
  await run({
    store,
    other: subject.store("b"),
    subject,
    source,
    knobs,
    async put(bytes) {
      const digest = digestOf(bytes);
      assert.deepEqual(await store.put(digest, source(bytes)), { digest, size: bytes.length });
      return digest;
    },
  });
  assert.deepEqual(await subject.leftovers?.() ?? [], [], "left behind");
}

/** How many cases there are, so that a test can say that none got lost. */
export const CASE_COUNT = [CASES, BIG_CASES, LIST_CASES]
  .reduce((sum, cases) => sum + Object.keys(cases).length, 0);
