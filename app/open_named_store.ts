/** From flags to an open store: a folder, or a server. */
import type { Environment } from "./environment.ts";
import { UsageError } from "./exit_codes.ts";
import type { Opened } from "./opened.ts";
import { readToken } from "./read_token.ts";

/** Which store, and with what token. */
export interface StoreName {
  readonly dir?: string;
  readonly url?: string;
  readonly namespace: string;
  readonly tokenFile?: string;
  readonly insecure?: boolean;
}

/**
 * Opens the store that is named.
 * @throws {UsageError} when none is
 * @throws {CacheError} `conflict` when another process holds the folder, and what opening throws
 */
export async function openNamedStore(
  environment: Environment,
  name: StoreName,
): Promise<Opened> {
  if (name.dir !== undefined) {
    const { openFolder } = await import("./compose.ts");
    return await openFolder(name.dir, { clock: environment.clock });
  }
  if (name.url === undefined) {
    throw new UsageError(
      "no store is named",
      "give --url http://host:8080 (or VITTE_CACHE_URL) for a server, or --dir for a folder",
    );
  }
  const token = await readToken(environment, name.tokenFile);
  const { connectStore } = await import("./connect_store.ts");
  return connectStore(name.url, {
    token,
    insecure: name.insecure ?? false,
    proxyEnv: proxyVariables(environment),
    clock: environment.clock,
  });
}

/** Both cases are in use: most programs read the lower one first. */
const PROXY_NAMES = ["http_proxy", "https_proxy", "no_proxy"].flatMap((name) => [
  name,
  name.toUpperCase(),
]);

function proxyVariables(environment: Environment): Record<string, string> {
  const found = PROXY_NAMES.map((name) => [name, environment.env(name)] as const);
  return Object.fromEntries(
    found.filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
