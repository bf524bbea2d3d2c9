/** The adapters, in the order in which they are asked about a path that names no tool. */
import type { Adapter } from "./adapter.ts";
import { bazel } from "./bazel.ts";
import { ccache } from "./ccache.ts";
import { go } from "./go.ts";

/** ccache first: its keys under `ac/` can be told from Bazel's, not the other way round. */
export const ADAPTERS: readonly Adapter[] = [ccache, bazel, go];
