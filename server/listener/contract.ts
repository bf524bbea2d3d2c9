/** What a listener is given, what it tells, and what it can be asked. */
import type { Clock } from "../../core/clock.ts";
import type { CacheError } from "../../core/errors.ts";
import type { Kernel } from "./kernel.ts";
import type { LocalAddress } from "./proc_net.ts";
import type { TlsFiles } from "./tls_files.ts";

/** What a listener tells about itself. */
export type ListenerEvent =
  | { readonly type: "accept_failed"; readonly error: CacheError; readonly retryInMs: number }
  | { readonly type: "listening_again" }
  /** Connections were ended; see `Sweep`. */
  | {
    readonly type: "cut";
    readonly open: number;
    readonly silent: number;
    readonly idle: number;
    readonly crowded: number;
  }
  /** No way to end single connections: all but those with a request under way were ended. */
  | { readonly type: "rotated"; readonly descriptors: number }
  /** Silent connections can not be told apart on this machine; only rotation protects. */
  | { readonly type: "unprotected" }
  | { readonly type: "tls_reloaded" }
  | { readonly type: "tls_refused"; readonly error: CacheError }
  | { readonly type: "failed"; readonly what: string; readonly error: CacheError };

/** {@linkcode listen}'s options. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  /** Other threads listen on the same port; the caller has asked `claimAddress` first. */
  readonly reusePort?: boolean | undefined;
  /** The same buffer in every thread that listens on this port; see `PeerTable.BYTES`. */
  readonly peers?: SharedArrayBuffer | undefined;
  /** Milliseconds for the first header of a connection; default `HEADER_TIMEOUT_MS`. */
  readonly headerTimeoutMs?: number | undefined;
  /** Milliseconds between two requests; default `KEEP_ALIVE_IDLE_MS`. */
  readonly idleMs?: number | undefined;
  /** Of all threads together; default `MAX_CONNECTIONS`, at most 70 % of the descriptors. */
  readonly maxConnections?: number | undefined;
  readonly maxPerAddress?: number | undefined;
  /** Milliseconds between two looks; default `CONNECTION_SWEEP_MS`, less for short time limits. */
  readonly sweepMs?: number | undefined;
  /** Milliseconds between two looks at the certificate files. */
  readonly tlsPollMs?: number | undefined;
  readonly onEvent?: ((event: ListenerEvent) => void) | undefined;
  readonly clock?: Clock | undefined;
  /** Stops in order, as `shutdown()` does. */
  readonly signal?: AbortSignal | undefined;
  /** For tests: the kernel, or `null` for a machine that shows nothing. */
  readonly kernel?: Kernel | null | undefined;
}

/** A port that is listened on. */
export interface Listener {
  readonly addr: LocalAddress;
  /** Connections at the last look, of all threads; those with a request where none can be taken. */
  connections(): number;
  /**
   * Takes no new connection, lets requests under way finish for `graceMs` (default
   * `STOP_GRACE_MS`), then ends them. Further calls wait for the first.
   */
  shutdown(graceMs?: number): Promise<void>;
  /** Resolves when nothing is left of it. */
  readonly closed: Promise<void>;
}
