/** Pages of the audit: changes of entries and of tokens, merged by their times. */
import type { TokenStore } from "../auth/token_store.ts";
import type { NumberedChange } from "../auth/token_changes.ts";
import type { RecordContext } from "../codec/entry_record.ts";
import { isWanted } from "../core/audit.ts";
import type { AuditPage, AuditQuery, AuditRow } from "../core/audit.ts";
import { CacheError } from "../core/errors.ts";
import { readAudit } from "../index/audit/read.ts";
import type { AuditCursor } from "../index/audit/read.ts";

/** What a page is made of. */
export interface AuditSources {
  readonly tokens: Pick<TokenStore, "changes">;
  readonly auditDir: string;
  readonly context: RecordContext;
}

/** Where both sources stand. */
interface Place {
  readonly entries: AuditCursor | undefined;
  /** Number of the last change of a token. */
  readonly token: number;
}

const TOKEN_PAGE = 500;

/** Reads one page. Each source is in its own order; between them the earlier time goes first. */
export async function auditPage(sources: AuditSources, query: AuditQuery): Promise<AuditPage> {
  const { limit, kinds } = query;
  let place = readPlace(query.after);
  const tokens = !kinds || kinds.includes("token") ? tokenChanges(sources, query, place.token) : [];
  const token = tokens[Symbol.iterator]();
  const options = { ...query, after: place.entries };
  const wanted = !kinds || kinds.some((kind) => kind !== "token");
  const entries = wanted
    ? readAudit(sources.auditDir, sources.context, options)[Symbol.asyncIterator]()
    : undefined;
  const rows: AuditRow[] = [];
  try {
    let nextToken = token.next();
    let nextEntry = await entries?.next();
    while (rows.length < limit) {
      const entry = nextEntry?.done === false ? nextEntry.value : undefined;
      const change = nextToken.done ? undefined : nextToken.value;
      if (!entry && !change) return { rows, next: undefined };
      if (change && (!entry || change.row.at <= entry.row.at)) {
        rows.push(change.row);
        place = { ...place, token: change.no };
        nextToken = token.next();
      } else if (entry) {
        rows.push(entry.row);
        place = { ...place, entries: entry.cursor };
        nextEntry = await entries?.next();
      }
    }
    const end = nextToken.done && nextEntry?.done !== false;
    return { rows, next: end ? undefined : textOf(place) };
  } finally {
    await entries?.return?.(undefined);
  }
}

function* tokenChanges(
  { tokens }: AuditSources,
  query: AuditQuery,
  after: number,
): Generator<NumberedChange> {
  let last = after;
  while (true) {
    const page = tokens.changes(last, TOKEN_PAGE);
    for (const change of page) {
      last = change.no;
      if (isWanted(change.row, query)) yield change;
    }
    if (page.length < TOKEN_PAGE) return;
  }
}

function textOf({ entries, token }: Place): string {
  return `${entries ? `${entries.file}.${entries.offset}` : ""}-${token}`;
}

function readPlace(text: string | undefined): Place {
  if (text === undefined) return { entries: undefined, token: 0 };
  const match = /^(?:(\d{1,15})\.(\d{1,15}))?-(\d{1,15})$/.exec(text);
  if (!match) {
    throw new CacheError(
      "invalid_argument",
      "Cannot read the audit: bad cursor, want a page's next",
    );
  }
  const [, file, offset, token] = match;
  const entries = file === undefined ? undefined : { file: Number(file), offset: Number(offset) };
  return { entries, token: Number(token) };
}
