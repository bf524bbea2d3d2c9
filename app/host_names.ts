/** The names by which this server may be called, beside loopback. */
import { hostname, networkInterfaces } from "node:os";

/** Names that the operator gave. */
export interface GivenNames {
  readonly publicUrl: string | undefined;
  readonly allowedHosts: readonly string[];
  /** The address that is listened on. */
  readonly listen: string;
}

/** This machine's name and addresses as they are now, and the given names; without ports. */
export function ownHostNames(given: GivenNames): string[] {
  const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const names = interfaces.map((one) => one.address.split("%")[0]!);
  names.push(hostname(), given.listen, ...given.allowedHosts);
  if (given.publicUrl !== undefined) names.push(new URL(given.publicUrl).hostname);
  return names;
}
