/** The adapters, in the order in which they are asked about a path that names no tool. */
import type { Adapter } from "./adapter.ts";
import { bazel } from "./bazel.ts";
import { ccache } from "./ccache.ts";
import { go } from "./go.ts";
import { gradle } from "./gradle.ts";
import { maven } from "./maven.ts";
import { nx } from "./nx.ts";
import { metro, plain, please, rush } from "./plain_key.ts";
import { turborepo } from "./turborepo.ts";

/**
 * First who has fixed segments in his paths, then by the length of a digest. ccache comes before
 * Bazel: its keys under `ac/` can be told from Bazel's, not the other way round.
 */
export const ADAPTERS: readonly Adapter[] = [
  turborepo,
  nx,
  maven,
  ccache,
  bazel,
  gradle,
  metro,
  rush,
  please,
  plain,
  go,
];
