/** The server that `serve` runs on this machine when nobody tells it anything. */
import { parseServerUrl } from "../../client/server_url.ts";
import { readKeyFile } from "../../auth/key_file.ts";
import { toCacheError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { Sourced, StoreSettings } from "../config/resolve_store.ts";
import { defaultFolder } from "../default_folder.ts";
import { ADDRESS_FILE } from "../serve.ts";
import type { Environment } from "../environment.ts";

/** What `serve` listens at unless told otherwise; older ones left no address. */
const URL_OF_SERVE = "http://127.0.0.1:8080";

/**
 * Fills in what is missing for a server of this machine: its address, and the administrator's
 * token if this user may read it. The settings as they are where there is no such server, or
 * where another machine is meant.
 * @throws {CacheError} `permission_denied` when others may read the token's file
 */
export function localServer(environment: Environment, settings: StoreSettings): StoreSettings {
  if (settings.url && !isHere(settings.url.value)) return settings;
  if (settings.token) return settings;
  const dir = environment.env("VITTE_CACHE_DIR") || defaultFolder(environment);
  const path = `${dir}/admin.token`;
  const text = readKeyFile(path, { what: "admin token" });
  if (text === undefined) return settings;
  const of = <T>(value: T, origin: string): Sourced<T> => ({ value, source: "default", origin });
  return {
    ...settings,
    url: settings.url ?? of(readAddress(dir) ?? URL_OF_SERVE, dir),
    token: of(new Secret(text.trim()), path),
  };
}

function readAddress(dir: string): string | undefined {
  try {
    const url = Deno.readTextFileSync(`${dir}/${ADDRESS_FILE}`).trim();
    return isHere(url) ? url : undefined;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    throw toCacheError(thrown, "setup.address");
  }
}

function isHere(url: string): boolean {
  const { base, exposed } = parseServerUrl(url);
  return base.startsWith("http:") && !exposed;
}
