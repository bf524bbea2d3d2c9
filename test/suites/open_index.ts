/** Opens indexes over a log in memory, for the suite and for whoever tests above an index. */
import type { KeyFilter } from "../../core/key_filter.ts";
import type { LogPort } from "../../core/record.ts";
import type { RowsBehind } from "../../core/rows_behind.ts";
import type { IndexReader, IndexWriter, IndexWriterOptions } from "../../index/contract.ts";
import { openIndexReader, openIndexWriter } from "../../index/open.ts";
import type { IndexWorld } from "./metadata_index_world.ts";

/** A writer of this world over this log; `path` may be `:memory:`. */
export async function openWriter(
  world: IndexWorld,
  { path, log, audit, checkFirstBytes, openRows }: {
    readonly path: string;
    readonly checkFirstBytes?: number;
    readonly log: LogPort;
    readonly audit?: IndexWriterOptions["audit"];
    readonly openRows?: IndexWriterOptions["openRows"];
  },
): Promise<IndexWriter> {
  const index: IndexWriter = await openIndexWriter({
    ...world.options(() => index.visibility),
    path,
    log,
    audit,
    checkFirstBytes,
    openRows,
    report: (error) => void world.reports.push(error),
  });
  // As when it serves: what the filter excludes is not looked for, from some moment on.
  void index.learn();
  return index;
}

/** A reader of this world, which goes by the filter of its writer. */
export function openReader(
  world: IndexWorld,
  path: string,
  filter?: KeyFilter,
  behind?: RowsBehind,
): IndexReader {
  const reader: IndexReader = openIndexReader({
    ...world.options(() => reader.visibility),
    path,
    filter,
    behind,
    report: (error) => void world.reports.push(error),
  });
  return reader;
}
