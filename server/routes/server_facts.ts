/** What the server tells about itself and about who asks. */
import { CacheError } from "../../core/errors.ts";
import type { Principal } from "../../core/policy.ts";
import { whoAmI } from "../../protocol/convert.ts";
import type { Stats } from "../../protocol/json.ts";
import { queryValue } from "../../protocol/path.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import type { Exchange, Route } from "../exchange.ts";

/** Routes about the server. */
export const SERVER_ROUTES: readonly Route[] = [
  {
    name: "stats",
    tool: "native",
    pattern: "/v1/stats",
    methods: { GET: { verb: "read", run: stats }, HEAD: { verb: "read", run: stats } },
  },
  {
    name: "whoami",
    tool: "native",
    pattern: "/v1/whoami",
    methods: { GET: { verb: undefined, run: who }, HEAD: { verb: undefined, run: who } },
  },
  {
    name: "identity",
    tool: "native",
    pattern: "/v1/identity",
    open: true,
    methods: { GET: { verb: undefined, run: identity } },
  },
  {
    name: "healthz",
    tool: "native",
    pattern: "/healthz",
    open: true,
    methods: { GET: { verb: undefined, run: health }, HEAD: { verb: undefined, run: health } },
  },
  {
    name: "metrics",
    tool: "native",
    pattern: "/metrics",
    methods: {
      GET: { verb: "metrics", storeWide: true, run: metrics },
      HEAD: { verb: "metrics", storeWide: true, run: metrics },
    },
  },
];

async function stats({ deps, principal }: Exchange): Promise<Answer> {
  const { counters, cache, version, uptimeSeconds } = deps;
  const totals = await cache.totals();
  const { namespaces, pinned } = await deps.room();
  const mine = ({ namespace }: { readonly namespace: string }) =>
    mayMeasure(principal) || principal.namespaces.includes("*") ||
    principal.namespaces.includes(namespace);
  const answer: Stats = {
    ...totals,
    chunks: blurred(totals.chunks, principal),
    stored_bytes: blurred(totals.stored_bytes, principal),
    version,
    uptime_seconds: Math.round(uptimeSeconds()),
    requests: counters.get("requests"),
    bytes_received: counters.get("bytes_received"),
    bytes_sent: counters.get("bytes_sent"),
    masked_errors: counters.get("masked_errors"),
    masked: counters.masked(),
    // Found by this process, or before it and still there.
    quarantined: Math.max(counters.get("quarantined"), totals.quarantined ?? 0),
    namespaces: namespaces.filter(mine),
    pinned,
    ...(mayMeasure(principal) ? { disk: deps.disk?.(), scrub: deps.scrub?.() } : {}),
  };
  return jsonAnswer(answer);
}

/**
 * What is stored once for all namespaces, for one principal. Who may not read metrics gets it
 * rounded up to a power of two: an exact figure that stands still after an upload would tell him
 * that somebody else has the same bytes.
 */
export function blurred(figure: number, principal: Principal): number {
  const exact = mayMeasure(principal) || principal.namespaces.includes("*");
  return exact || figure === 0 ? figure : 2 ** Math.ceil(Math.log2(figure));
}

function mayMeasure({ verbs }: Principal): boolean {
  return verbs.includes("admin") || verbs.includes("metrics");
}

function who({ deps, principal }: Exchange): Answer {
  return jsonAnswer(whoAmI(principal, deps.backend));
}

function identity({ deps, path }: Exchange): Answer {
  const nonce = queryValue(path.query, "nonce");
  if (nonce === undefined) {
    throw new CacheError("invalid_argument", "Cannot prove the identity: no nonce in the query");
  }
  return jsonAnswer(deps.prove({ nonce, host: path.authority }));
}

function health(): Answer {
  return { status: 200, headers: { "content-type": "text/plain; charset=utf-8" }, body: "ok" };
}

async function metrics({ deps }: Exchange): Promise<Answer> {
  const text = await deps.metricsText();
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
  return { status: 200, headers, body: text };
}
