/**
 * Tools that GET and PUT a body by a key that means nothing here: Rush, Please, Metro, and whoever
 * else does. Metro takes every read but 200 and 404 for a failed build, Rush every write but 2xx,
 * and Please asks five times after 5xx: reads are 404, writes are taken and dropped.
 */
import type { Tool } from "../../core/tools.ts";
import type { ParsedPath } from "../../protocol/path.ts";
import type { Match, MissTable, Route } from "../exchange.ts";
import type { Adapter } from "./adapter.ts";
import { ENDED_TOKENS, ILLNESSES, shownAs } from "./adapter.ts";
import { opaqueMethods } from "./opaque.ts";

const MISSES: MissTable = {
  read: shownAs(404, [...ILLNESSES, ...ENDED_TOKENS]),
  write: shownAs(200, [...ILLNESSES, ...ENDED_TOKENS, "too_large"]),
};

/** Rush: `rush-<40 hex>`, or whatever the repository's pattern puts before the hash. */
export const rush: Adapter = plainKey("rush", /^[A-Za-z0-9@][A-Za-z0-9._+@-]*-[0-9a-f]{40}$/);

/** Please: 40 hex digits, which at the root are ccache's. */
export const please: Adapter = plainKey("please");

/** Metro's HttpStore: 72 hex digits, chunked. */
export const metro: Adapter = plainKey("metro", /^[0-9a-f]{72}$/);

/** Everybody else. */
export const plain: Adapter = plainKey("plain");

/** An adapter; `shape` is what the last segment looks like where no tool is named. */
function plainKey(tool: Tool, shape?: RegExp): Adapter {
  const route: Route = {
    name: `${tool}.entry`,
    tool,
    pattern: `/${tool}/{key}`,
    publicRead: true,
    misses: MISSES,
    methods: opaqueMethods(tool),
  };
  return {
    tool,
    routes: [route],
    match(path: ParsedPath): Match | undefined {
      const last = path.segments.at(-1);
      if (last === undefined) return undefined;
      if (path.tool === undefined && !shape?.test(last)) return undefined;
      return { route, subject: path.key };
    },
  };
}
