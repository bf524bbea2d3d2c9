/**
 * Puts a handler on a port, and keeps it there: listens again when accepting fails, takes new
 * certificates without a pause, ends connections that hold a place for nothing, and stops in order.
 *
 * On `Deno.serve`, see docs/decisions/0002-listener.md. What it lacks stands beside it: the header
 * time limit in `reaper.ts` and `guard.ts`, the rest in `port_listener.ts`.
 */
import type { Handler } from "../deps.ts";
import { claimAddress } from "./claim_address.ts";
import type { Listener, ListenOptions } from "./contract.ts";
import { PortListener } from "./port_listener.ts";
import { readTlsPair } from "./tls_files.ts";

export { claimAddress } from "./claim_address.ts";
export type { Listener, ListenerEvent, ListenOptions } from "./contract.ts";
export { PeerTable } from "./peer_table.ts";

/**
 * Listens. Never rejects or ends the process later: what goes wrong is told to `onEvent`.
 * @throws {CacheError} `unavailable` if the address is taken, `invalid_argument` if it is none or
 *   the certificate is no good, `permission_denied` if the port may not be used
 */
export async function listen(handler: Handler, options: ListenOptions): Promise<Listener> {
  const pair = options.tls && await readTlsPair(options.tls);
  // Sharing a port is how a second server takes over; without this look a second process would
  // take half of the connections instead of being refused.
  const addr = options.reusePort && options.port !== 0
    ? { hostname: options.hostname, port: options.port }
    : claimAddress(options);
  const port = new PortListener(handler, addr, options);
  port.start(pair);
  return port;
}
