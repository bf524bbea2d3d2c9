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
  /** Whether the last part takes all that is left. */
  readonly open: boolean;
}

/** Routes by their first segment, fixed parts before free ones. */
const SHAPES = new Map<string, Shape[]>();
for (const route of NATIVE_ROUTES) {
  const [first = "", ...rest] = route.pattern.slice(1).split("/").filter((part) => part !== "v1");
  const parts = rest.map((part) => part.startsWith("{") ? undefined : part);
  const shapes = SHAPES.get(first) ?? [];
  shapes.push({ route, parts, open: route.pattern.endsWith("{key}") });
  shapes.sort((a, b) => a.parts.indexOf(undefined) - b.parts.indexOf(undefined));
  SHAPES.set(first, shapes);
}

/** The native route of a path; `undefined` if it is none. */
export function matchNative({ tool, segments }: ParsedPath): Match | undefined {
  if (tool === "v1") {
    const [first, ...rest] = segments;
    return first === undefined ? undefined : matchShape(first, rest);
  }
  return tool === "healthz" || tool === "metrics" ? matchShape(tool, segments) : undefined;
}

function matchShape(first: string, rest: readonly string[]): Match | undefined {
  for (const { route, parts, open } of SHAPES.get(first) ?? []) {
    if (open ? rest.length < parts.length : rest.length !== parts.length) continue;
    if (!parts.every((part, i) => part === undefined || part === rest[i])) continue;
    const at = parts.indexOf(undefined);
    const subject = at < 0 ? "" : open ? rest.slice(at).join("/") : rest[at] ?? "";
    return { route, subject };
  }
  return undefined;
}
