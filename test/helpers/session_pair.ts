/** Two sessions over one connection in memory. */
import { ManualClock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { MAX_MESSAGE_BYTES } from "../../core/sync_limits.ts";
import type { SyncStore } from "../../core/sync_store.ts";
import type { Transport } from "../../core/transport.ts";
import { Session } from "../../sync/session/session.ts";
import { memoryTransports } from "../../sync/transport_memory.ts";

const SALT = new Uint8Array(32).fill(7);

/** Two sides that talk until `end`. */
export interface SessionPair {
  readonly client: Session;
  readonly server: Session;
  readonly clock: ManualClock;
  /** Bytes and messages that both sent. */
  readonly traffic: { bytes: number; frames: number };
  /** Ends both; how each of them ended, `undefined` for in order. */
  end(): Promise<[unknown, unknown]>;
}

/** How a pair is disturbed. */
export interface PairOptions {
  /** The connection breaks when so many messages were sent by both. */
  readonly cutAfter?: number;
  /** Changes messages on their way, by who sent them. */
  readonly change?: (frame: Bytes, from: "client" | "server") => Bytes;
}

/** Starts both sides. */
export function sessionPair(
  client: SyncStore,
  server: SyncStore,
  { cutAfter = Infinity, change = (frame) => frame }: PairOptions = {},
): SessionPair {
  const clock = new ManualClock();
  const traffic = { bytes: 0, frames: 0 };
  const ends = memoryTransports({ maxFrameBytes: MAX_MESSAGE_BYTES });
  const names = ["client", "server"] as const;
  const [a, b] = ends.map((end, n) => {
    const send: Transport["send"] = async (frame, options) => {
      if (traffic.frames >= cutAfter) {
        await end.close("cut");
        return await end.send(frame, options);
      }
      traffic.frames++;
      traffic.bytes += frame.length;
      await end.send(change(frame, names[n]!), options);
    };
    return new Proxy(end, {
      get: (target, name) => {
        if (name === "send") return send;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  });
  const sides = {
    client: new Session(a!, { role: "opener", store: client, clock, salt: SALT }),
    server: new Session(b!, { role: "answerer", store: server, clock, salt: SALT }),
  };
  const runs = [sides.client, sides.server].map((side) =>
    side.run().then(() => undefined, (error: unknown) => error)
  );
  return {
    ...sides,
    clock,
    traffic,
    end: async () => {
      await sides.client.close();
      return await Promise.all(runs) as [unknown, unknown];
    },
  };
}
