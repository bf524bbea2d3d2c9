/** Whether what a tool stored under a key may be replaced. */
import type { EntryDraft, Protocol } from "../core/entry.ts";

/** As `EntryDraft.mutability` has it. */
export type Mutability = EntryDraft["mutability"];

/**
 * By the contract of each tool: an immutable entry that is complete answers a second put with a
 * conflict; a replaceable one is replaced, within its own scope, and the replacement is logged.
 */
export const MUTABILITY: Readonly<Record<string, Mutability>> = {
  kv: "replaceable",
  plain: "replaceable",
  rush: "replaceable",
  please: "replaceable",
  metro: "replaceable",
  "bazel-ac": "replaceable",
  ccache: "replaceable",
  gradle: "replaceable",
  maven: "replaceable",
  turborepo: "replaceable",
  nx: "immutable",
  tree: "immutable",
  exec: "immutable",
  go: "immutable",
};

/** The mutability of a protocol's entries; a protocol that nobody entered here is immutable. */
export function mutabilityOf(protocol: Protocol): Mutability {
  return Object.hasOwn(MUTABILITY, protocol) ? MUTABILITY[protocol] ?? "immutable" : "immutable";
}
