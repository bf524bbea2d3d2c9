/** From flags to an open store: a folder, or a server. */
import type { StoreName, StoreSettings } from "./config/resolve_store.ts";
import type { Environment } from "./environment.ts";
import { UsageError } from "./exit_codes.ts";
import type { Opened } from "./opened.ts";
import { shown } from "./output.ts";

export type { StoreName } from "./config/resolve_store.ts";

/**
 * Opens the store that flags, environment, files or a login name.
 * @throws {UsageError} when none does
 * @throws {CacheError} `conflict` when another process holds the folder, and what resolving and
 * opening throw
 */
export async function openNamedStore(environment: Environment, name: StoreName): Promise<Opened> {
  // Only what is used is loaded: a command that asks a server one question must start at once.
  const { resolveStore } = await import("./config/resolve_store.ts");
  return await openResolved(environment, await resolveStore(environment, name), name);
}

/**
 * Opens what {@linkcode resolveStore} found; nothing is sent yet. A server that only a repository
 * names is given no token before it has proved that it is the one which the token names.
 * @throws as {@linkcode openNamedStore}
 */
export async function openResolved(
  environment: Environment,
  settings: StoreSettings,
  { idleMs }: Pick<StoreName, "idleMs"> = {},
): Promise<Opened> {
  const { clock } = environment;
  if (settings.dir) {
    const { openFolder } = await import("./compose.ts");
    return await openFolder(settings.dir.value, { clock });
  }
  if (!settings.url) throw noStore(settings);
  const { connectStore } = await import("./connect_store.ts");
  const { identityOptions } = await import("./config/repository_trust.ts");
  return connectStore(settings.url.value, {
    token: settings.token?.value,
    insecure: settings.insecure,
    proxyEnv: proxyVariables(environment),
    clock,
    idleMs,
    ...identityOptions(environment, settings),
  });
}

/** What to say where nobody names a store. */
export function noStore({ logins }: StoreSettings): UsageError {
  const list = logins.map(({ url }) => shown(url)).join(", ");
  return new UsageError(
    logins.length > 1 ? "no store is named, and there are several logins" : "no store is named",
    "give --url http://host:8080 (or VITTE_CACHE_URL) for a server, or --dir for a folder" +
      (logins.length === 0
        ? "\nnone yet? vitte-remote-cache serve starts one on this machine"
        : "") +
      (logins.length > 1 ? `\nlogged in to: ${list}` : ""),
  );
}

/** Both cases are in use: most programs read the lower one first. */
const PROXY_NAMES = ["http_proxy", "https_proxy", "no_proxy"].flatMap((name) => [
  name,
  name.toUpperCase(),
]);

/** The variables that name proxies, as they are set. */
export function proxyVariables(environment: Environment): Record<string, string> {
  const found = PROXY_NAMES.map((name) => [name, environment.env(name)] as const);
  return Object.fromEntries(
    found.filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
