/** Build tools by the names that paths, logs, counters and reports share. */

/** Every tool that has an adapter, or will; only ever appended to. `plain` is any GET and PUT by key. */
export const TOOLS = [
  "bazel",
  "ccache",
  "gradle",
  "maven",
  "turborepo",
  "nx",
  "rush",
  "please",
  "metro",
  "plain",
  "go",
] as const;
/** One of {@linkcode TOOLS}. */
export type Tool = typeof TOOLS[number];
