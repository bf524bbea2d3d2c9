/** The audit: who changed what, in order, for whoever has to find out afterwards. */
import type { SignalOptions } from "./bytes.ts";
import type { Digest } from "./digest.ts";
import type { EntryKey } from "./entry.ts";

/** What the audit knows: entries written anew, replaced, deleted; tokens made or ended. */
export const AUDIT_KINDS = ["put", "replace", "delete", "token"] as const;
/** One of {@linkcode AUDIT_KINDS}. */
export type AuditKind = typeof AUDIT_KINDS[number];

/** A change of an entry. */
export interface EntryChange extends EntryKey {
  readonly kind: "put" | "replace" | "delete";
  /** Milliseconds since 1970. Rows are in the order of the changes, also where a clock jumped. */
  readonly at: number;
  /** Name of the token that did it; `local` for a command on the folder itself. */
  readonly writer: string;
  /** The body that stood there before; `undefined` if there was none. */
  readonly before: Digest | undefined;
  /** The body that stands there now; `undefined` after a deletion. */
  readonly after: Digest | undefined;
}

/** A change of a token. */
export interface TokenChange {
  readonly kind: "token";
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Name of the token that did it; `local` for a command on the folder itself. */
  readonly writer: string;
  readonly action: "create" | "rotate" | "revoke";
  /** The token that was made or ended. */
  readonly token: string;
  /** Its id afterwards, 16 hex digits. */
  readonly id: string;
  readonly namespaces: readonly string[];
}

/** One line of the audit. */
export type AuditRow = EntryChange | TokenChange;

/** Which lines are wanted; all filters must hold. */
export interface AuditFilter {
  /** Milliseconds since 1970: not before this. */
  readonly since?: number | undefined;
  /** Milliseconds since 1970: before this. */
  readonly until?: number | undefined;
  /** Name of the token that did it. */
  readonly writer?: string | undefined;
  /** Only entries whose key, or tokens whose name, begins with this. */
  readonly prefix?: string | undefined;
  readonly kinds?: readonly AuditKind[] | undefined;
  /** Only this namespace's entries, and tokens that have it. */
  readonly namespace?: string | undefined;
}

/** One page of lines, oldest first. */
export interface AuditPage {
  readonly rows: readonly AuditRow[];
  /** Goes into `after` of the next question; `undefined` at the end. */
  readonly next: string | undefined;
}

/** What to read of the audit. */
export interface AuditQuery extends AuditFilter, SignalOptions {
  /** `next` of an earlier page. */
  readonly after?: string | undefined;
  /** At most this many lines. */
  readonly limit: number;
}

/** Whether a line is wanted. */
export function isWanted(row: AuditRow, filter: AuditFilter): boolean {
  const { since, until, writer, prefix = "", kinds, namespace } = filter;
  if (since !== undefined && row.at < since) return false;
  if (until !== undefined && row.at >= until) return false;
  if (writer !== undefined && row.writer !== writer) return false;
  if (kinds && !kinds.includes(row.kind)) return false;
  if (row.kind === "token") {
    const seen = namespace === undefined || row.namespaces.includes(namespace) ||
      row.namespaces.includes("*");
    return seen && row.token.startsWith(prefix);
  }
  return (namespace === undefined || row.namespace === namespace) && row.key.startsWith(prefix);
}
