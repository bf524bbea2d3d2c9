/** Lines about how the room of a store is shared out. */
import type { QuotaUse } from "../../core/quota.ts";
import { formatSize } from "../../core/units.ts";

/** Whether there is anything that it may not go beyond. */
export function isLimited({ max_bytes, max_entries }: QuotaUse): boolean {
  return max_bytes !== null || max_entries !== null;
}

/** `namespace a`, `scope pr/* of namespace a`. */
export function spaceName(namespace: string, scope: string | null): string {
  return scope === null ? `namespace ${namespace}` : `scope ${scope} of namespace ${namespace}`;
}

/** What is held of what may be. */
export function quotaLine(use: QuotaUse): string {
  const { bytes, entries, max_bytes, max_entries } = use;
  const size = max_bytes === null
    ? formatSize(bytes)
    : `${formatSize(bytes)} of ${formatSize(max_bytes)}`;
  const count = max_entries === null ? `${entries}` : `${entries} of ${max_entries}`;
  return `${spaceName(use.namespace, use.scope)}: ${size}, ${count} entries`;
}
