/** Checks the tables of a store on a thread of its own: it takes seconds, and nobody waits for it. */
/// <reference lib="deno.worker" />
import { toCacheError } from "../core/errors.ts";
import { checkIndexFile } from "../index/open.ts";
import { checkTablesFile } from "../store/pack/open_tables.ts";
import { pathsOf } from "./folder_parts.ts";

/** Which tables, and the folder of the store. */
export interface CheckRequest {
  readonly what: "index" | "packs";
  readonly dir: string;
}

/** What came of it. */
export type CheckAnswer =
  | { readonly problem: string | undefined }
  /** It could not be done. */
  | { readonly failed: string };

self.onmessage = ({ data: { what, dir } }: MessageEvent<CheckRequest>) => {
  let answer: CheckAnswer;
  try {
    answer = {
      problem: what === "index" ? checkIndexFile(pathsOf(dir).index) : checkTablesFile(dir),
    };
  } catch (thrown) {
    answer = { failed: toCacheError(thrown, `check.${what}`).message };
  }
  self.postMessage(answer);
};
