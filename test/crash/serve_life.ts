/** One life of a whole server under writers, killed by its recorder. */
import type { SeededRandom } from "../helpers/random.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { startServer } from "../helpers/real_server.ts";
import type { Change, History } from "./history.ts";
import { bodyOf } from "./work_items.ts";

const WRITERS = 4;
/** Changes of one writer in a life that is not killed. */
const CHANGES = 12;

/** What a life is made of. */
export interface ServeLife {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly maxSize: number;
  /** What a writer of this number draws from. */
  readonly random: (writer: number) => SeededRandom;
}

/**
 * Starts the server, changes entries over HTTP until it dies or all is done, and notes in `history`
 * what was begun and what was answered.
 */
export async function serveLife(life: ServeLife, history: History): Promise<void> {
  const { dir, env, maxSize } = life;
  const args = ["--threads", "1", "--max-size", `${maxSize}`, "--access-log", "none"];
  let server: RealServer;
  try {
    server = await startServer(dir, { env, args });
  } catch (error) {
    // Killed while it started.
    if (/ended before it listened/.test((error as Error).message)) return;
    throw error;
  }
  const writer = async (number: number) => {
    const random = life.random(number);
    for (let n = 0; n < CHANGES; n++) {
      // Keys of its own: what is written to one at the same time has no order.
      const key = `w${number}-${random.integer(0, 10)}`;
      const kind = random.next() < 0.85 ? "put" : "remove";
      const size = random.next() < 0.6 ? random.integer(0, 4000) : random.integer(100_000, 500_000);
      const change: Change = history.begin({ kind, key, size: kind === "put" ? size : 0 });
      try {
        if (!await send(server, change)) return;
      } catch (error) {
        // It was killed under this request: nothing is promised.
        if (error instanceof TypeError) return;
        throw error;
      }
      change.acknowledged = 0;
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, n) => writer(n)));
  await server.stop();
}

async function send(server: RealServer, { id, kind, key, size }: Change): Promise<boolean> {
  const response = await fetch(`${server.url}/v1/entries/${key}`, {
    method: kind === "put" ? "PUT" : "DELETE",
    headers: { authorization: `Bearer ${server.adminToken}` },
    ...(kind === "put" ? { body: bodyOf(id, size) } : {}),
  });
  await response.body?.cancel();
  if (response.ok || (kind === "remove" && response.status === 404)) return true;
  throw new Error(`${kind} ${key}: ${response.status}`);
}
