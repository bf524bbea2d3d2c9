/** Looks whether an address is free before several servers share it. */
import type { ErrorKind } from "../../core/errors.ts";
import { CacheError } from "../../core/errors.ts";
import type { LocalAddress } from "./proc_net.ts";

/**
 * Finds out that nobody listens on an address, and which port 0 becomes. It is free again when
 * this returns: threads that share a port are started after one call of this.
 * @throws {CacheError} as `listen`
 */
export function claimAddress(wanted: LocalAddress): LocalAddress {
  try {
    using probe = Deno.listen({ hostname: wanted.hostname, port: wanted.port });
    return { hostname: wanted.hostname, port: probe.addr.port };
  } catch (thrown) {
    throw listenError(thrown, wanted);
  }
}

/** Says what is wrong with an address or a certificate, from the class of the error. */
export function listenError(thrown: unknown, { hostname, port }: LocalAddress): CacheError {
  const [kind, state] = classify(thrown);
  const message = `Cannot listen on "${hostname}:${port}": ${state}`;
  return new CacheError(kind, message, { operation: "listener.listen", cause: thrown });
}

function classify(thrown: unknown): [ErrorKind, string] {
  if (thrown instanceof Deno.errors.AddrInUse) {
    return ["unavailable", "address in use, want a free port"];
  }
  if (thrown instanceof Deno.errors.AddrNotAvailable) {
    return ["invalid_argument", "no such address on this machine"];
  }
  if (thrown instanceof Deno.errors.PermissionDenied || thrown instanceof Deno.errors.NotCapable) {
    return ["permission_denied", "not allowed, want a port from 1024 up"];
  }
  return ["invalid_argument", thrown instanceof Error ? thrown.message : String(thrown)];
}
