/** What was built here, on its way to the server, behind the build's back. */
import type { RemoteGoCache } from "../../client/remote_go_cache.ts";
import { anySignal } from "../../core/abort.ts";
import { bytesSource } from "../../core/bytes.ts";
import type { ByteSource } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import type { Clock } from "../../core/clock.ts";
import type { CacheError } from "../../core/errors.ts";
import { toCacheError } from "../../core/errors.ts";
import {
  GO_CLOSE_MS,
  GO_LARGE_BYTES,
  GO_LARGE_UPLOADS,
  GO_SMALL_UPLOADS,
} from "../../core/build_limits.ts";
import { fileSource } from "../../client/file_source.ts";
import type { LocalOutput } from "./messages.ts";
import type { Patience } from "./patience.ts";

/** What it is made of. */
export interface UploadsParts {
  server(): Promise<RemoteGoCache>;
  readonly patience: Patience;
  readonly clock: Clock;
  /** Milliseconds without a sign of life. */
  readonly waitMs: number;
}

interface Upload extends LocalOutput {
  readonly action: string;
}

/** Refusals of one output, or of all: no reason to leave the server alone. */
const REFUSALS: ReadonlySet<string> = new Set([
  "permission_denied",
  "too_large",
  "quota_exceeded",
  "invalid_argument",
  "conflict",
]);

/**
 * Waiting uploads are names only, their bytes stay in their files. Small ones have lanes of their
 * own: hundreds of them do not wait for a large one.
 */
export class Uploads {
  readonly #parts: UploadsParts;
  readonly #lanes = [lane(GO_SMALL_UPLOADS), lane(GO_LARGE_UPLOADS)] as const;
  readonly #stop = new AbortController();
  #stopped = false;
  /** Grows whenever something went out or came back. */
  #moved = 0;
  /** How many the server has now. */
  stored = 0;
  /** Milliseconds that the end waited for them. */
  waitedMs = 0;
  /** How many it does not have. */
  dropped = 0;

  constructor(parts: UploadsParts) {
    this.#parts = parts;
  }

  /** Sends an output when its turn comes. */
  add(action: string, found: LocalOutput): void {
    if (this.#stopped || !this.#parts.patience.up) {
      this.dropped++;
      return;
    }
    const lane = this.#lanes[found.size > GO_LARGE_BYTES ? 1 : 0];
    lane.waiting.push({ ...found, action });
    if (lane.running.size >= lane.width) return;
    const run: Promise<void> = this.#run(lane).finally(() => lane.running.delete(run));
    lane.running.add(run);
  }

  /** Sends nothing more, breaks off what is under way. */
  stop(): void {
    this.#stopped = true;
    this.#stop.abort();
  }

  /**
   * Waits until all is sent, at most 20 s, and while nothing moves only for what is left of the
   * two outages that a build waits for; then stops. Aborting stops at once.
   */
  async finish(signal: AbortSignal): Promise<void> {
    const { clock, patience, waitMs } = this.#parts;
    const stallMs = waitMs * (patience.outages === 0 ? 2 : 1);
    const done = new AbortController();
    const all = Promise.all(this.#lanes.flatMap((lane) => [...lane.running]))
      .finally(() => done.abort());
    const began = clock.monotonic();
    const until = began + GO_CLOSE_MS;
    const waits = anySignal(signal, done.signal)!;
    while (!waits.aborted && clock.monotonic() < until) {
      const before = this.#moved;
      // Both ends of this wait are looked at above.
      await clock.sleep(Math.min(stallMs, until - clock.monotonic()), waits).catch(() => {});
      if (this.#moved === before) break;
    }
    this.stop();
    await all;
    this.waitedMs = clock.monotonic() - began;
  }

  async #run(lane: Lane): Promise<void> {
    for (let next = lane.waiting.shift(); next; next = lane.waiting.shift()) {
      if (this.#stopped || !this.#parts.patience.up) {
        this.dropped++;
        continue;
      }
      await this.#send(next);
      this.#moved++;
    }
  }

  /** Never rejects. */
  async #send({ action, output, size, path }: Upload): Promise<void> {
    const { patience } = this.#parts;
    const signal = anySignal(this.#stop.signal, patience.gone)!;
    try {
      const server = await this.#parts.server();
      await server.put({ action, output }, await this.#source(path, size), { signal });
      this.stored++;
    } catch (thrown) {
      this.dropped++;
      if (!signal.aborted) this.#failed(toCacheError(thrown, "gocache.upload"));
    }
  }

  async #source(path: string, size: number): Promise<ByteSource> {
    if (size <= GO_LARGE_BYTES) return bytesSource(await Deno.readFile(path));
    const source = await fileSource(path);
    const onPart = () => this.#moved++;
    const counted = () =>
      new TransformStream<Bytes, Bytes>({
        transform(part, controller) {
          onPart();
          controller.enqueue(part);
        },
      });
    return { ...source, open: (options) => source.open(options).pipeThrough(counted()) };
  }

  #failed(error: CacheError): void {
    if (error.kind === "permission_denied" || error.kind === "quota_exceeded") {
      // None of the others would be taken either; what is there can still be read.
      this.#stopped = true;
    }
    if (!REFUSALS.has(error.kind)) this.#parts.patience.failed(error);
  }
}

interface Lane {
  readonly width: number;
  readonly waiting: Upload[];
  readonly running: Set<Promise<void>>;
}

function lane(width: number): Lane {
  return { width, waiting: [], running: new Set() };
}
