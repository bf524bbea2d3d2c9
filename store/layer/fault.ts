/**
 * Fault: a medium that fails as planned, for tests.
 *
 * Stands next to the backend, to see how the layers above take it, or outermost, to see how the
 * callers of the whole stack do. Never part of a stack that serves.
 */
import { bodyBytes, bytesBody, bytesSource, concat, streamOf } from "../../core/bytes.ts";
import type { ByteSource, ObjectBody } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { MAX_RECORD_BYTES } from "../../core/limits.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../../core/object_store.ts";
import { drain } from "../drain.ts";
import type { FaultEffect, FaultPlan } from "./fault_plan.ts";
import { forwardStore, objectLayer } from "./layer.ts";
import type { ObjectLayer } from "./layer.ts";
import { watchBody } from "./watch_body.ts";

/** What stood under a key before the last change; `undefined` if nothing did. */
type Before = Map<string, Bytes | undefined>;

/** A layer that does what `plan` says. Holds small objects in memory while stale reads are planned. */
export function faultLayer(plan: FaultPlan): ObjectLayer {
  return objectLayer("fault", (inner) => faultStore(inner, plan));
}

function faultStore(inner: ObjectStore, plan: FaultPlan): ObjectStore {
  const before: Before = new Map();
  const remember = async (keys: readonly string[]) => {
    if (!plan.plansStale) return;
    for (const key of keys) {
      const body = await inner.get(key);
      before.set(key, body && await bodyBytes(body, MAX_RECORD_BYTES));
    }
  };
  return forwardStore(inner, {
    async get(key, options = {}) {
      const fault = await plan.meet("get", key, options.signal);
      if (fault?.type === "stale" && before.has(key)) {
        const old = before.get(key);
        return old && bytesBody(old);
      }
      const body = await inner.get(key, options);
      return body && fault?.type === "cut" ? cutBody(body, plan, fault) : body;
    },
    async put(key, source, options = {}) {
      const fault = await plan.meet("put", key, options.signal);
      await remember([key]);
      if (fault?.type === "half") {
        const half = await firstBytes(source, key, fault.at);
        await inner.put(key, bytesSource(half), options);
        throw plan.error(fault, `store object "${key}"`);
      }
      const info = await inner.put(key, source, options);
      if (fault?.type === "lost") throw plan.error(fault, `store object "${key}"`);
      return info;
    },
    async stat(keys, options = {}) {
      const fault = await plan.meet("stat", keys[0] ?? "", options.signal);
      const infos = await inner.stat(keys, options);
      if (fault?.type !== "stale") return infos;
      return keys.map((key, i) => before.has(key) ? oldInfo(key, before) : infos[i]);
    },
    async delete(keys, options = {}) {
      const fault = await plan.meet("delete", keys[0] ?? "", options.signal);
      await remember(keys);
      await inner.delete(keys, options);
      if (fault?.type === "lost") throw plan.error(fault, `remove ${keys.length} objects`);
    },
    async *list(options: ListOptions = {}): AsyncIterable<ObjectInfo> {
      const fault = await plan.meet("list", options.prefix ?? "", options.signal);
      if (fault?.type === "stale") return yield* staleList(inner.list(options), options, before);
      let count = 0;
      for await (const info of inner.list(options)) {
        if (fault?.type === "cut" && count++ === fault.at) throw plan.error(fault, "list objects");
        yield info;
      }
    },
  });
}

/** The body until byte `at`, then an error; also one that was here already becomes a stream. */
function cutBody(
  body: ObjectBody,
  plan: FaultPlan,
  fault: FaultEffect & { type: "cut" },
): ObjectBody {
  const { bytes, size, total } = body;
  const streamed: ObjectBody = bytes === undefined
    ? body
    : { size, total, stream: () => streamOf(bytes), cancel: () => body.cancel() };
  let left = fault.at;
  return watchBody(streamed, {
    async read(next) {
      if (left === 0) throw plan.error(fault, "read the object");
      const chunk = await next();
      const part = chunk?.subarray(0, left);
      left -= part?.length ?? 0;
      return part;
    },
  });
}

/** Reads the whole source, as a medium does that fails late, and keeps its first bytes. */
async function firstBytes(source: ByteSource, key: string, count: number): Promise<Bytes> {
  const parts: Bytes[] = [];
  let left = count;
  await drain(source, (chunk) => {
    if (left === 0) return;
    parts.push(chunk.slice(0, left));
    left -= Math.min(left, chunk.length);
  }, { key });
  return concat(parts);
}

function oldInfo(key: string, before: Before): ObjectInfo | undefined {
  const old = before.get(key);
  return old && { key, size: old.length, modified: undefined };
}

async function* staleList(
  items: AsyncIterable<ObjectInfo>,
  { prefix = "", after = "" }: ListOptions,
  before: Before,
): AsyncIterable<ObjectInfo> {
  const old = [...before.keys()].sort().map((key) => oldInfo(key, before))
    .filter((info) => info !== undefined)
    .filter(({ key }) => key.startsWith(prefix) && key > after);
  for await (const info of items) {
    while (old[0] && old[0].key < info.key) yield old.shift()!;
    if (!before.has(info.key)) yield info;
  }
  yield* old;
}
