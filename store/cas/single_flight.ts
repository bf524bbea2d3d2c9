/**
 * Readers of the same record share one read: for media where a read costs a round trip. Stands
 * directly around a source of far records; around local files it would only cost.
 *
 * Nobody waits for anybody's pace: a record is read whole into memory (16 MiB at most) before
 * anyone gets it. Who aborts leaves at once; the shared read is given up when the last one left.
 */
import { abortable } from "../../core/abort.ts";
import { concat } from "../../core/bytes.ts";
import type { SignalOptions } from "../../core/bytes.ts";
import type { ChunkSource } from "../../core/chunk_store.ts";
import type { Bytes } from "../../core/digest.ts";
import { toHex } from "../../core/digest.ts";
import type { DataKind } from "../../core/record.ts";
import { bodyOr } from "../wanted_body.ts";

interface Flight {
  readonly bytes: Promise<Bytes | undefined>;
  readonly controller: AbortController;
  waiting: number;
}

/** The source, with concurrent reads of one record joined. Disposing it disposes the source. */
export function singleFlight(inner: ChunkSource): ChunkSource {
  const flights = new Map<string, Flight>();

  function begin(kind: DataKind, id: Bytes, name: string): Flight {
    const controller = new AbortController();
    const { signal } = controller;
    const read = async () => await inner.read(kind, id, { signal });
    const bytes = read().finally(() => {
      if (flights.get(name) === flight) flights.delete(name);
    });
    const flight: Flight = { bytes, controller, waiting: 0 };
    flights.set(name, flight);
    return flight;
  }

  async function read(
    kind: DataKind,
    id: Bytes,
    { signal }: SignalOptions = {},
  ): Promise<Bytes | undefined> {
    signal?.throwIfAborted();
    const name = `${kind} ${toHex(id)}`;
    const flight = flights.get(name) ?? begin(kind, id, name);
    flight.waiting++;
    try {
      return await abortable(flight.bytes, signal);
    } finally {
      if (--flight.waiting === 0) leave(flight, name);
    }
  }

  function leave(flight: Flight, name: string): void {
    if (flights.get(name) !== flight) return;
    flights.delete(name);
    // The last one left before the read ended: its result is wanted by nobody.
    flight.bytes.catch(() => undefined);
    flight.controller.abort();
  }

  return {
    has: (kind, ids) => inner.has(kind, ids),
    read,
    hold(kind, wanted) {
      const held = inner.hold(kind, wanted);
      return {
        async join(from, to, options) {
          const bodies: Bytes[] = [];
          for (const one of wanted.slice(from, to)) {
            bodies.push(bodyOr(one, await read(kind, one.id, options), kind));
          }
          // A single body would be handed on as it is, and others have it too.
          return bodies.length === 1 ? bodies[0]!.slice() : concat(bodies);
        },
        [Symbol.dispose]: () => held[Symbol.dispose](),
      };
    },
    losses: () => inner.losses(),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}
