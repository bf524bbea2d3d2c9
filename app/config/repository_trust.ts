/** What has to happen before a token goes to a server that only a repository names. */
import { parseServerUrl } from "../../client/server_url.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { parseToken, toBase64Url } from "../../core/token.ts";
import type { ConnectStoreOptions } from "../connect_store.ts";
import type { Environment } from "../environment.ts";
import { PROGRAM } from "../output.ts";
import { originOfUrl } from "./resolve_store.ts";
import type { StoreSettings } from "./resolve_store.ts";

/**
 * How a connection checks whom it talks to. A token that names its server may be sent to one that
 * proves to be it; the proof is remembered for this user, so that it is asked once. Over plain
 * HTTP it is asked each time: there a port may have gone to another program.
 * @throws {CacheError} `permission_denied` for a token that names no server: only the user can say
 * where it belongs
 */
export function identityOptions(
  environment: Environment,
  settings: StoreSettings,
): Pick<ConnectStoreOptions, "checkIdentity" | "onIdentity"> {
  const { url, token, trust, known } = settings;
  if (!url || !token || trust === "user") return {};
  const origin = originOfUrl(url.value);
  const parsed = parseToken(token.value.reveal());
  // Damaged ones are refused where the connection is made.
  if (!parsed) return {};
  if (parsed.type === "brought") {
    throw new CacheError(
      "permission_denied",
      `Cannot send the token to ${origin}: only ${url.origin} names it, and the token names no server`,
      {
        operation: "config.trust",
        hint: `if you trust it: ${PROGRAM} login ${origin}, or set VITTE_CACHE_URL`,
      },
    );
  }
  const serverKey = toBase64Url(parsed.serverKey);
  const encrypted = parseServerUrl(url.value).base.startsWith("https:");
  if (encrypted && known.proved(origin, serverKey) !== undefined) return {};
  return {
    checkIdentity: true,
    onIdentity: () => {
      try {
        known.remember(origin, serverKey, environment.clock.now());
      } catch (thrown) {
        // It is only asked again next time; a home that can not be written must not stop a build.
        const { message } = toCacheError(thrown, "config.trust");
        environment.stderr(`${PROGRAM}: warning: ${message}\n`);
      }
    },
  };
}
