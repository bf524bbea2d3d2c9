/** A store as the commands see it: a folder of this machine, or a server. */
import type { Cache, Maintenance, Totals } from "../core/cache.ts";
import type { Insight } from "../core/insight.ts";
import type { Pinning } from "../core/pins.ts";
import type { Principal } from "../core/policy.ts";
import type { TokenAdmin } from "../core/token_admin.ts";

/** Totals and whatever else the store tells about itself. */
export type Stats = Totals & Readonly<Record<string, unknown>>;

/** An open store. Disposing it closes everything. */
export interface Opened extends AsyncDisposable {
  /** For messages: the folder or the URL. */
  readonly where: string;
  readonly cache: Cache;
  readonly maintenance: Maintenance;
  readonly tokens: TokenAdmin;
  readonly insight: Insight;
  readonly pinning: Pinning;
  stats(): Promise<Stats>;
  /** `backend` is the kind of medium that the store is kept on; old servers do not say. */
  whoami(): Promise<Principal & { readonly backend?: string | undefined }>;
}
