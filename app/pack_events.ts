/** What happens inside the packs, as lines of the log. */
import { formatSize } from "../core/units.ts";
import type { PackEvent } from "../store/pack/options.ts";

/** The line for an event, `undefined` for one that nobody needs to know. */
export function describePackEvent(event: PackEvent): string | undefined {
  switch (event.type) {
    case "tables_damaged":
      return `ALARM: the tables of the packs are damaged (${event.problem}): ` +
        `the next start makes them again from the packs`;
    case "rebuilt":
      return `${event.damaged ? "ALARM: " : ""}` +
        `the tables of the packs were made again (${event.reason}): ` +
        `${event.records} records in ${event.segments} segments`;
    case "recovered":
      return `recovered segment ${event.segment} after an unclean stop: ` +
        `${event.records} records, ${event.torn} torn bytes cut`;
    case "damage":
      return `ALARM: a damaged record was set aside, in segment ${event.row.segment} at byte ` +
        `${event.row.offset}: run verify --repair`;
    case "pack_lost":
      return `ALARM: pack ${event.segment} is gone, with ${event.records} records`;
    case "evicted":
      return `made room: evicted pack ${event.segment}, ${formatSize(event.bytes)} ` +
        `(${event.reason}): ${event.lost} records gone, ${formatSize(event.moved)} moved on`;
    case "sealed":
      return undefined;
    case "failed":
      return `${event.what} failed and is tried again: ${event.error.message}`;
    default:
      return event satisfies never;
  }
}
