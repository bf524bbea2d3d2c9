/** What the main thread and a serving thread say to each other, beside the writer's port. */
import type { AccessLogMode, AccessSummary } from "./access_log.ts";
import type { UsageDelta } from "./usage/tally.ts";
import type { MetricsJson } from "./metrics.ts";

/** Settings that every serving thread gets; plain data. */
export interface WorkerConfig {
  readonly dir: string;
  readonly hostname: string;
  readonly port: number;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly maxBlobSize: number;
  readonly maxSize: number;
  readonly publicUrl: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly publicRead: readonly string[];
  readonly accessLog: AccessLogMode;
  /** Milliseconds since 1970 when the server began. */
  readonly started: number;
}

/** What the writer tells all threads: the memory of shared tables. */
export interface KnownBuffers {
  /** Of a `KeyFilter`. */
  readonly entries: SharedArrayBuffer;
  /** Of `KnownBlobs`. */
  readonly blobs: SharedArrayBuffer;
  /** Of `RowsBehind`. */
  readonly behind: SharedArrayBuffer;
}

/** To a serving thread. */
export type ToWorker =
  | {
    readonly type: "start";
    readonly config: WorkerConfig;
    readonly counters: SharedArrayBuffer;
    /** Where this thread notes what it holds of them. */
    readonly share: SharedArrayBuffer;
    readonly writer: MessagePort;
    readonly known: KnownBuffers;
    /** Connections of all threads on the port. */
    readonly peers: SharedArrayBuffer;
  }
  | { readonly type: "metrics"; readonly call: number }
  | { readonly type: "stop"; readonly graceMs: number };

/** From a serving thread. */
export type FromWorker =
  | { readonly type: "listening" }
  | { readonly type: "failed"; readonly message: string; readonly hint: string | undefined }
  | { readonly type: "summary"; readonly summary: AccessSummary }
  | { readonly type: "usage"; readonly deltas: UsageDelta[] }
  | { readonly type: "notice"; readonly text: string }
  | { readonly type: "metrics"; readonly call: number; readonly json: MetricsJson }
  | { readonly type: "stopped" };
