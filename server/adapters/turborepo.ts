/**
 * Turborepo's remote cache, version 8 of Vercel's API. The team is a part of the key, never a
 * namespace. Bodies are signed by the tool if it wants: tag and body are one entry, and come back
 * together. 5xx and 429 would be asked again and then switch the cache off for a while, so what
 * fails here is a miss to readers and 412 to writers, which is a warning.
 */
import type { ParsedPath } from "../../protocol/path.ts";
import type { Problem } from "../../protocol/problem.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import type { Exchange, Match, MissTable, Route } from "../exchange.ts";
import type { Adapter } from "./adapter.ts";
import { HIDDEN_READS, ILLNESSES, segmentsOf, shownAs } from "./adapter.ts";
import { getOpaque, headOpaque } from "./opaque.ts";
import { artifactKey, PROTOCOL, putArtifact } from "./turborepo_artifact.ts";
import { queryArtifacts, takeEvents } from "./turborepo_batch.ts";

const ROOTS = ["v8"];
/** 16 hex digits today. */
const HASH = /^[0-9A-Za-z_-]{1,128}$/;

const MISSES: MissTable = { read: HIDDEN_READS, write: shownAs(412, ILLNESSES) };
/** Events are only told: nothing about them is worth a warning. */
const EVENT_MISSES: MissTable = { read: {}, write: shownAs(200, ILLNESSES) };

const artifact: Route = {
  name: "turborepo.artifact",
  tool: "turborepo",
  pattern: "/turborepo/v8/artifacts/{key}",
  publicRead: true,
  misses: MISSES,
  errorFields,
  methods: {
    GET: { verb: "read", run: (exchange) => getOpaque(ofTeam(exchange), PROTOCOL) },
    HEAD: { verb: "read", run: (exchange) => headOpaque(ofTeam(exchange), PROTOCOL) },
    PUT: { verb: "write", run: (exchange) => putArtifact(ofTeam(exchange)) },
  },
};

const artifacts: Route = {
  name: "turborepo.artifacts",
  tool: "turborepo",
  pattern: "/turborepo/v8/artifacts",
  misses: MISSES,
  errorFields,
  methods: { POST: { verb: "read", run: queryArtifacts } },
};

const status: Route = {
  name: "turborepo.status",
  tool: "turborepo",
  pattern: "/turborepo/v8/artifacts/status",
  publicRead: true,
  misses: MISSES,
  errorFields,
  methods: { GET: { verb: "read", run: enabled }, HEAD: { verb: "read", run: enabled } },
};

const events: Route = {
  name: "turborepo.events",
  tool: "turborepo",
  pattern: "/turborepo/v8/artifacts/events",
  misses: EVENT_MISSES,
  errorFields,
  methods: { POST: { verb: "read", run: takeEvents } },
};

/** Turborepo. */
export const turborepo: Adapter = {
  tool: "turborepo",
  roots: ROOTS,
  routes: [artifact, artifacts, status, events],
  match,
};

function match(path: ParsedPath): Match | undefined {
  const segments = segmentsOf(path, ROOTS);
  const last = segments.at(-1);
  if (last === undefined) return undefined;
  if (last === "artifacts" && segments.at(-2) === "v8") {
    return { route: artifacts, subject: segments.slice(0, -2).join("/") };
  }
  if (segments.at(-2) !== "artifacts" || segments.at(-3) !== "v8" || !HASH.test(last)) {
    return undefined;
  }
  if (path.tool === "v8" && segments.length !== 3) return undefined;
  const base = segments.slice(0, -3).join("/");
  if (last === "status") return { route: status, subject: base };
  if (last === "events") return { route: events, subject: base };
  return { route: artifact, subject: base };
}

/** Only here is the query read: one that is bad must not be told to who has no token. */
function ofTeam(exchange: Exchange): Exchange {
  const { path, subject: base } = exchange;
  return { ...exchange, subject: artifactKey(base, path.query, path.segments.at(-1) ?? "") };
}

function enabled(): Answer {
  return jsonAnswer({ status: "enabled" });
}

/**
 * Turborepo reads `error` of a refusal. The code is none of its own (`forbidden` and the like), since
 * those switch the whole cache off: a token that may only read goes on reading.
 */
function errorFields({ kind, detail }: Problem): Record<string, unknown> {
  return { error: { code: kind, message: detail } };
}
