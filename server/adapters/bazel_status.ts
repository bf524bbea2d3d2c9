/** `/status`, in the words of bazel-remote: moon asks it before everything else. */
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import type { Exchange } from "../exchange.ts";
import { blurred } from "../routes/server_facts.ts";

/** Sizes in bytes, time in seconds since 1970. */
export async function status({ deps, principal }: Exchange): Promise<Answer> {
  const totals = await deps.cache.totals();
  return jsonAnswer({
    CurrSize: blurred(totals.stored_bytes, principal),
    UncompressedSize: totals.logical_bytes,
    ReservedSize: 0,
    MaxSize: deps.limits.maxSize,
    NumFiles: totals.blobs,
    ServerTime: Math.floor(deps.clock.now() / 1000),
    GitCommit: deps.version,
    GitTags: deps.version,
    NumGoroutines: 0,
  });
}
