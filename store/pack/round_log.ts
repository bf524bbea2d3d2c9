/** The part of a round that is the log's. */
import type { CacheError } from "../../core/errors.ts";
import type { LogPosition, LogRecord } from "../../core/record.ts";
import { packError } from "./errors.ts";
import { place, plainStored, settle } from "./pack.ts";
import type { Pack } from "./pack.ts";
import { recordBytes } from "./places.ts";
import { checkLogRoom, neededBytes } from "./room.ts";

/** Log records that wait to be durable, and who waits. */
export interface LogRequest {
  readonly records: readonly LogRecord[];
  readonly resolve: (position: LogPosition) => void;
  readonly reject: (error: CacheError) => void;
}

/** Writes all requests and makes them durable together; tells what became of each. */
export function writeLog(
  pack: Pack,
  logs: readonly LogRequest[],
): Map<LogRequest, LogPosition | CacheError> {
  const outcome = new Map<LogRequest, LogPosition | CacheError>();
  const accepted = logs.filter((request) => {
    try {
      checkLogRoom(pack, neededBytes(request.records));
      return true;
    } catch (error) {
      outcome.set(request, packError(error, "append", "log records"));
      return false;
    }
  });
  if (accepted.length === 0) return outcome;
  try {
    placeLog(pack, accepted, outcome);
  } catch {
    // Not swallowed: one by one again, so that exactly those fail that must.
    for (const request of accepted) {
      try {
        placeLog(pack, [request], outcome);
      } catch (error) {
        outcome.set(request, packError(error, "append", "log records"));
      }
    }
  }
  try {
    pack.fault("log.after_write");
    settle(pack, "log");
    pack.fault("log.after_sync");
  } catch (thrown) {
    const error = packError(thrown, "append", "log records");
    for (const request of accepted) outcome.set(request, error);
  }
  return outcome;
}

function placeLog(
  pack: Pack,
  requests: readonly LogRequest[],
  outcome: Map<LogRequest, LogPosition | CacheError>,
): void {
  const records = requests.flatMap((request) => request.records.map(plainStored));
  const options = { area: "log", together: true, before: "log.before_write" } as const;
  const places = place(pack, records, options);
  let next = 0;
  for (const request of requests) {
    next += request.records.length;
    const last = places[next - 1];
    const { active: { log } } = pack;
    outcome.set(
      request,
      last
        ? { segment: last.segment, offset: last.offset + recordBytes(last) }
        : { segment: log.number, offset: log.end },
    );
  }
}
