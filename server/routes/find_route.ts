/** From a parsed path to a route: the whole URL space in one place. */
import type { ParsedPath } from "../../protocol/path.ts";
import type { Match } from "../exchange.ts";
import type { Adapter } from "../adapters/adapter.ts";
import { ADAPTERS } from "../adapters/adapter_list.ts";
import { matchNative } from "./native_routes.ts";

/**
 * The route of a path, `undefined` if there is none. `/v1/…` and the names of this server first,
 * then the tool that the first segment names, else the first adapter that knows the shape.
 */
export function findRoute(path: ParsedPath, headers: Headers): Match | undefined {
  const native = matchNative(path);
  if (native) return native;
  for (const adapter of ADAPTERS) {
    if (path.tool !== undefined && !answersAt(adapter, path.tool)) continue;
    const match = adapter.match(path, headers);
    if (match) return match;
  }
  return undefined;
}

function answersAt({ tool, roots }: Adapter, segment: string): boolean {
  return tool === segment || (roots?.includes(segment) ?? false);
}
