/** Somebody in the middle of a connection, who sees every frame and hands on what he likes. */
import type { Bytes } from "../../core/digest.ts";
import { isKind, toCacheError } from "../../core/errors.ts";
import type { Transport } from "../../core/transport.ts";
import { memoryTransports } from "../../sync/transport_memory.ts";

/** What becomes of the frame with this number, of this way (0: from the first end to the second). */
export type Change = (frame: Bytes, n: number, way: 0 | 1) => Bytes[] | "cut";

/** Two ends that talk through the middle. Ends of one are passed on to the other. */
export function throughMiddle(change: Change): [Transport, Transport] {
  const [a, left] = memoryTransports();
  const [right, b] = memoryTransports();
  void pump(left, right, (frame, n) => change(frame, n, 0));
  void pump(right, left, (frame, n) => change(frame, n, 1));
  return [a, b];
}

async function pump(
  from: Transport,
  to: Transport,
  change: (frame: Bytes, n: number) => Bytes[] | "cut",
): Promise<void> {
  let n = 0;
  try {
    for await (const frame of from.frames) {
      const frames = change(frame, n++);
      if (frames === "cut") {
        await Promise.all([from.close("cut"), to.close("cut")]);
        return;
      }
      for (const each of frames) await to.send(each);
    }
    await to.close("done");
  } catch (thrown) {
    // The end that failed has told whoever sits there; the other one is told here.
    const error = toCacheError(thrown, "middle");
    await to.close(isKind(error, "unavailable") ? "done" : error);
  }
}
