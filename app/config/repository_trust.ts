/** What has to happen before a token goes to a server that only a repository names. */
import { connectCache } from "../../client/connect.ts";
import { parseServerUrl } from "../../client/server_url.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
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
  if (!encrypted && new URL(origin).hostname.endsWith(".localhost")) throw unsureName(origin, url);
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

/**
 * Such a name is this machine's by convention, but it is the resolver that says where it leads, and
 * every server answers to it: whoever is there could relay the proof and read the token.
 */
function unsureName(origin: string, { origin: from }: { readonly origin: string }): CacheError {
  return new CacheError(
    "permission_denied",
    `Cannot send the token to ${origin}: only ${from} names it, and it may be another machine`,
    {
      operation: "config.trust",
      hint: `write localhost or 127.0.0.1; if you trust it: ${PROGRAM} login ${origin}`,
    },
  );
}

/** A server, and the token that may be sent to it. */
export interface TrustedServer {
  readonly url: string;
  readonly token: Secret<string> | undefined;
}

/**
 * URL and token for programs that talk to the server themselves, such as a build tool. What
 * `identityOptions` asks for is done first: what this returns may be handed on.
 * @throws {CacheError} `permission_denied` where the token must not go, and what asking throws
 */
export async function trustedServer(
  environment: Environment,
  settings: StoreSettings,
): Promise<TrustedServer | undefined> {
  const { url, token, insecure } = settings;
  if (!url) return undefined;
  if (!token) return { url: url.value, token: undefined };
  const options = identityOptions(environment, settings);
  const { clock } = environment;
  // Refuses what a connection would refuse, such as plain HTTP to another machine.
  await using cache = connectCache({ url: url.value, token: token.value, insecure, clock });
  const parsed = parseToken(token.value.reveal());
  if (options.checkIdentity && parsed?.type === "issued") {
    await cache.admin.requireIdentity(parsed);
    options.onIdentity?.();
  }
  return { url: url.value, token: token.value };
}
