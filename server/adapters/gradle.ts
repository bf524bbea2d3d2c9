/**
 * Gradle's HttpBuildCache: one body a key, Basic credentials sent at once. The first answer that it
 * takes for a failure turns the cache off for the rest of the build, so a write that can not be
 * kept is taken and dropped. Too large stays 413: that is Gradle's own word for it, and the one
 * thing here that the build's owner can change.
 */
import type { ParsedPath } from "../../protocol/path.ts";
import type { Match, MissTable, Route } from "../exchange.ts";
import type { Adapter } from "./adapter.ts";
import { ENDED_TOKENS, HIDDEN_READS, ILLNESSES, shownAs } from "./adapter.ts";
import { opaqueMethods } from "./opaque.ts";

/** Gradle's keys are MD5 today; the documentation promises no length. */
const KEY = /^[0-9a-f]{16,128}$/;
/** The length that is its own at the root: ccache has 33 to 40, Bazel 64. */
const ROOT_KEY = /^[0-9a-f]{32}$/;

const MISSES: MissTable = {
  read: HIDDEN_READS,
  write: shownAs(200, [...ILLNESSES, ...ENDED_TOKENS]),
};

const route: Route = {
  name: "gradle.entry",
  tool: "gradle",
  pattern: "/gradle/{key}",
  publicRead: true,
  misses: MISSES,
  methods: opaqueMethods("gradle"),
};

/** Gradle. */
export const gradle: Adapter = { tool: "gradle", routes: [route], match };

function match({ tool, segments, key }: ParsedPath): Match | undefined {
  const last = segments.at(-1);
  if (last === undefined) return undefined;
  if (tool === "gradle") return KEY.test(last) ? { route, subject: key } : undefined;
  // Bazel's areas stay Bazel's, whatever digest somebody asks for there.
  const before = segments.at(-2);
  if (before === "ac" || before === "cas" || !ROOT_KEY.test(last)) return undefined;
  return { route, subject: key };
}
