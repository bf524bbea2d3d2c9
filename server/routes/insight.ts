/** Routes for incidents: `/v1/inspect`, `/v1/remove`, `/v1/audit`, `/v1/stats/history`. */
import { CacheError } from "../../core/errors.ts";
import { reachOf, USAGE_GROUPS } from "../../core/insight.ts";
import type { UsageGroup } from "../../core/insight.ts";
import type { Principal } from "../../core/policy.ts";
import {
  auditKinds,
  auditRowJson,
  inspectionJson,
  RemoveInputSchema,
} from "../../protocol/insight_json.ts";
import type { RemoveAnswer } from "../../protocol/insight_json.ts";
import { parseJson } from "../../protocol/json.ts";
import { queryValue } from "../../protocol/path.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import { clientSignal } from "../client_signal.ts";
import type { Exchange, Route } from "../exchange.ts";
import { readJsonText } from "../upload.ts";
import { protocolOf } from "./entries.ts";

const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 10_000;

/** Routes for incidents. */
export const INSIGHT_ROUTES: readonly Route[] = [
  {
    name: "inspect",
    tool: "native",
    pattern: "/v1/inspect/{key}",
    methods: { GET: { verb: "read", run: inspect } },
  },
  {
    name: "remove",
    tool: "native",
    pattern: "/v1/remove",
    methods: { POST: { verb: "invalidate", run: remove } },
  },
  {
    name: "audit",
    tool: "native",
    pattern: "/v1/audit",
    methods: { GET: { verb: "admin", storeWide: true, run: audit } },
  },
  {
    name: "stats.history",
    tool: "native",
    pattern: "/v1/stats/history",
    methods: { GET: { verb: "read", run: history } },
  },
];

async function inspect(exchange: Exchange): Promise<Answer> {
  const { deps, namespace, principal, subject, path, request } = exchange;
  const named = queryValue(path.query, "protocol") !== undefined;
  const inspection = await deps.insight.inspect({
    ...reachOf(principal),
    namespace,
    key: subject,
    protocol: named ? protocolOf(exchange) : undefined,
    signal: clientSignal(request),
  });
  return jsonAnswer(inspectionJson(inspection));
}

async function remove(exchange: Exchange): Promise<Answer> {
  const { deps, namespace, principal, request } = exchange;
  const text = await readJsonText(exchange);
  const { dry_run: dryRun, ...filter } = parseJson(RemoveInputSchema, text, "the request");
  // As DELETE of one entry: a token takes away from the scope that it writes. Who may do
  // everything may clean up after anybody.
  const scopes = principal.verbs.includes("admin") ? undefined : [principal.scope];
  const { entries, next } = await deps.insight.removeStep({
    ...filter,
    namespace,
    scopes,
    dryRun,
    by: principal.name,
    signal: clientSignal(request),
  });
  const answer: RemoveAnswer = { entries: [...entries], next: next ?? null };
  return jsonAnswer(answer);
}

async function audit({ deps, path, request }: Exchange): Promise<Answer> {
  const { query } = path;
  const kind = queryValue(query, "kind");
  const kinds = kind === undefined ? undefined : auditKinds(kind);
  if (kind !== undefined && !kinds) {
    throw new CacheError("invalid_argument", "Cannot read the audit: no such kind of change");
  }
  const { rows, next } = await deps.insight.audit({
    since: wholeNumber(query, "since"),
    until: wholeNumber(query, "until"),
    writer: queryValue(query, "writer"),
    prefix: queryValue(query, "prefix"),
    namespace: queryValue(query, "namespace"),
    kinds,
    after: queryValue(query, "after"),
    limit: Math.max(1, Math.min(wholeNumber(query, "limit") ?? DEFAULT_LIMIT, MAX_LIMIT)),
    signal: clientSignal(request),
  });
  return jsonAnswer({ rows: rows.map(auditRowJson), next: next ?? null });
}

async function history({ deps, path, principal }: Exchange): Promise<Answer> {
  const by = queryValue(path.query, "by") ?? "day";
  if (!(USAGE_GROUPS as readonly string[]).includes(by)) {
    throw new CacheError(
      "invalid_argument",
      `Cannot group usage by "${by.slice(0, 40)}", want one of ${USAGE_GROUPS.join(", ")}`,
    );
  }
  const rows = await deps.insight.usage({
    by: by as UsageGroup,
    since: wholeNumber(path.query, "since"),
    namespaces: visibleNamespaces(principal),
  });
  return jsonAnswer({ rows });
}

/** Metrics have no namespace; who may not read them learns of his own namespaces only. */
function visibleNamespaces({ verbs, namespaces }: Principal): readonly string[] | undefined {
  const all = verbs.includes("admin") || verbs.includes("metrics") || namespaces.includes("*");
  return all ? undefined : namespaces;
}

/** @throws {CacheError} `invalid_argument` for a value that is no whole number */
export function wholeNumber(query: string, name: string): number | undefined {
  const text = queryValue(query, name);
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new CacheError("invalid_argument", `Cannot read "${name}": want a whole number`);
}
