/** Bazel's HTTP cache, as bazel-remote serves it; moon speaks it too, with results in JSON. */
import type { ParsedPath } from "../../protocol/path.ts";
import type { Match, MissTable, Route } from "../exchange.ts";
import type { Adapter } from "./adapter.ts";
import { HIDDEN_READS } from "./adapter.ts";
import { getResult, headResult, putResult } from "./bazel_ac.ts";
import { getBlob, headBlob, putBlob } from "./bazel_cas.ts";
import { status } from "./bazel_status.ts";

const SHA256 = /^[0-9a-f]{64}$/;

/** Any status but 200 is a miss; 5xx are asked five times, with pauses. */
const MISSES: MissTable = { read: HIDDEN_READS, write: {} };

const ac: Route = {
  name: "bazel.ac",
  tool: "bazel",
  pattern: "/bazel/ac/{key}",
  publicRead: true,
  misses: MISSES,
  methods: {
    GET: { verb: "read", run: getResult },
    HEAD: { verb: "read", run: headResult },
    PUT: { verb: "write", run: putResult },
  },
};

const cas: Route = {
  name: "bazel.cas",
  tool: "bazel",
  pattern: "/bazel/cas/{digest}",
  publicRead: true,
  misses: MISSES,
  methods: {
    GET: { verb: "read", run: getBlob },
    HEAD: { verb: "read", run: headBlob },
    PUT: { verb: "write", run: putBlob },
  },
};

const facts: Route = {
  name: "bazel.status",
  tool: "bazel",
  pattern: "/status",
  methods: { GET: { verb: "read", run: status }, HEAD: { verb: "read", run: status } },
};

/** Bazel, moon, and whoever else speaks this. */
export const bazel: Adapter = {
  tool: "bazel",
  roots: ["status"],
  routes: [ac, cas, facts],
  match,
};

function match({ tool, segments }: ParsedPath): Match | undefined {
  if (tool === "status") return segments.length === 0 ? { route: facts, subject: "" } : undefined;
  if (tool !== undefined && tool !== "bazel") return undefined;
  const last = segments.at(-1);
  if (tool === "bazel" && last === "status" && segments.length === 1) {
    return { route: facts, subject: "" };
  }
  const area = segments.at(-2);
  if (last === undefined || !SHA256.test(last)) return undefined;
  // Blobs are the same whatever the instance; results belong to it.
  if (area === "cas") return { route: cas, subject: `sha256-${last}` };
  if (area !== "ac") return undefined;
  return { route: ac, subject: [...segments.slice(0, -2), last].join("/") };
}
