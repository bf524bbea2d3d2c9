/** Uses are gathered and written together: a look-up must not wait for the disk. */
import type { Bytes } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import type { Pack } from "./pack.ts";
import { recordKey, useTime } from "./places.ts";

interface Touch {
  readonly kind: DataKind;
  readonly id: Bytes;
  seconds: number;
}

/** Uses that are not in the tables yet. */
export type Touches = Map<string, Touch>;

/** Uses that wait before they are written whatever the time: about 20 MB of memory. */
export const MAX_TOUCHES = 100_000;

/** Notes uses at `at` (milliseconds since 1970). */
export function noteTouches(
  touches: Touches,
  kind: DataKind,
  options: { ids: readonly Bytes[]; at: number },
): void {
  const seconds = useTime(options.at);
  for (const id of options.ids) {
    const key = recordKey(kind, id);
    const known = touches.get(key);
    if (!known) touches.set(key, { kind, id, seconds });
    else known.seconds = Math.max(known.seconds, seconds);
  }
}

/** Writes all uses to the tables. What it throws leaves them for the next time. */
export function flushTouches(pack: Pack): void {
  const { touches, tables } = pack;
  if (touches.size === 0) return;
  tables.transaction(() => {
    for (const { kind, id, seconds } of touches.values()) tables.use(kind, id, seconds);
  });
  touches.clear();
}
