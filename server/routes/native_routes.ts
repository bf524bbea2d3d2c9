/** The native API as a table; `docs/openapi.json` and a test hold the same. */
import type { ParsedPath } from "../../protocol/path.ts";
import type { Match, Route } from "../exchange.ts";
import { ADMIN_ROUTES } from "./admin.ts";
import { BATCH_ROUTES } from "./blob_batches.ts";
import { BLOB_ROUTES } from "./blobs.ts";
import { ENTRY_ROUTES } from "./entries.ts";
import { INFO_ROUTES } from "./info.ts";
import { PIN_ROUTES } from "./pins.ts";
import { PROBE_ROUTES } from "./probe.ts";
import { INSIGHT_ROUTES } from "./insight.ts";
import { SERVER_ROUTES } from "./server_facts.ts";
import { TOKEN_ROUTES } from "./tokens.ts";

/** Every route of the native API. */
export const NATIVE_ROUTES: readonly Route[] = [
  ...BLOB_ROUTES,
  ...BATCH_ROUTES,
  ...ENTRY_ROUTES,
  ...INFO_ROUTES,
  ...INSIGHT_ROUTES,
  ...PIN_ROUTES,
  ...SERVER_ROUTES,
  ...PROBE_ROUTES,
  ...TOKEN_ROUTES,
  ...ADMIN_ROUTES,
];

interface Shape {
  readonly route: Route;
  /** Segments behind `/v1/`, `undefined` where one may be anything. */
  readonly parts: readonly (string | undefined)[];
  /** Where the first of those stands; -1 without one. */
  readonly at: number;
  /** Whether the last part takes all that is left. */
  readonly open: boolean;
}

/** Routes by their first segment, fixed parts before free ones. */
const SHAPES = new Map<string, Shape[]>();
for (const route of NATIVE_ROUTES) {
  const [first = "", ...rest] = route.pattern.slice(1).split("/").filter((part) => part !== "v1");
  const parts = rest.map((part) => part.startsWith("{") ? undefined : part);
  const shapes = SHAPES.get(first) ?? [];
  const at = parts.indexOf(undefined);
  shapes.push({ route, parts, at, open: route.pattern.endsWith("{key}") });
  shapes.sort((a, b) => a.at - b.at);
  SHAPES.set(first, shapes);
}

/** The native route of a path; `undefined` if it is none. */
export function matchNative({ tool, segments }: ParsedPath): Match | undefined {
  if (tool === "v1") {
    const first = segments[0];
    return first === undefined ? undefined : matchShape(first, segments, 1);
  }
  return tool === "healthz" || tool === "metrics" ? matchShape(tool, segments, 0) : undefined;
}

/** `from`: the first segment that belongs to the shape's parts. */
function matchShape(first: string, segments: readonly string[], from: number): Match | undefined {
  const shapes = SHAPES.get(first);
  if (!shapes) return undefined;
  for (const { route, parts, at, open } of shapes) {
    const count = segments.length - from;
    if (open ? count < parts.length : count !== parts.length) continue;
    if (!fits(parts, segments, from)) continue;
    const subject = at < 0
      ? ""
      : open && count > parts.length
      ? segments.slice(from + at).join("/")
      : segments[from + at] ?? "";
    return { route, subject };
  }
  return undefined;
}

function fits(
  parts: readonly (string | undefined)[],
  segments: readonly string[],
  from: number,
): boolean {
  for (let n = 0; n < parts.length; n++) {
    if (parts[n] !== undefined && parts[n] !== segments[from + n]) return false;
  }
  return true;
}
