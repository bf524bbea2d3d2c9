/** Go's build cache on a server: one request an action. */
import type { ByteSource, ByteStream, SignalOptions } from "../core/bytes.ts";
import type { Digest } from "../core/digest.ts";
import { digestHex, parseDigest } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { ERROR_KINDS } from "../protocol/problem.ts";
import {
  GO_OUTPUT_ID,
  GO_WANT_OBJECT,
  goActionPath,
  goPutPath,
  HEADERS,
} from "../protocol/url_space.ts";
import type { HttpClient } from "./http.ts";
import type { HttpReply } from "./reply.ts";
import { lengthOf } from "./remote_blob_store.ts";

/** The output of an action, on its way. */
export interface GoOutput {
  /** SHA-256 that the bytes must have. */
  readonly output: Digest;
  /** Bytes that must come. */
  readonly size: number;
  /** Milliseconds since 1970 when it was stored, `undefined` if the server does not say. */
  readonly created: number | undefined;
  /**
   * The bytes as they come; to be read or cancelled. Whoever keeps them checks them, as they are
   * hashed on their way into a file in any case.
   */
  readonly body: ByteStream;
}

/** Outputs by action, 64 hex digits each. Nothing is tried twice: who asks has a build to go on with. */
export class RemoteGoCache {
  readonly #http: HttpClient;
  readonly #namespace: string;

  /** `http` stays its maker's. */
  constructor(http: HttpClient, namespace: string) {
    this.#http = http;
    this.#namespace = namespace;
  }

  /**
   * The output of an action, `undefined` if it has none. The signal also ends the body.
   * @throws {CacheError} `corrupt` for an answer that makes no sense; what the server hid behind a
   * miss is thrown as what it was
   */
  async get(action: string, options: SignalOptions = {}): Promise<GoOutput | undefined> {
    try {
      const path = goActionPath(this.#namespace, action);
      const headers = { [GO_WANT_OBJECT]: "1" };
      const request = { method: "GET", path, headers, idempotent: false, ...options } as const;
      return await outputOf(await this.#http.send(request));
    } catch (thrown) {
      const missed = thrown instanceof CacheError && thrown.context.status === 404 &&
        (thrown.kind === "not_found" || thrown.kind === "corrupt");
      if (missed) return undefined;
      throw thrown;
    }
  }

  /**
   * Stores the output of an action; one that has an output keeps it.
   * @throws {CacheError} also for what the server took and dropped
   */
  async put(
    { action, output }: { readonly action: string; readonly output: Digest },
    body: ByteSource,
    options: SignalOptions = {},
  ): Promise<void> {
    const reply = await this.#http.send({
      method: "PUT",
      path: goPutPath(this.#namespace, action, digestHex(output)),
      headers: { "content-type": "application/octet-stream" },
      body,
      idempotent: false,
      ...options,
    });
    await reply.cancel();
    const reason = reply.headers.get(HEADERS.missReason);
    if (reason === null) return;
    const kind = reason.startsWith("token_")
      ? "unauthenticated"
      : ERROR_KINDS.find((known) => known === reason) ?? "internal";
    throw new CacheError(kind, `Cannot store output ${output}: the server dropped it (${reason})`, {
      operation: "client.go_put",
    });
  }
}

async function outputOf(reply: HttpReply): Promise<GoOutput> {
  try {
    const output = digestNamed(reply.headers.get(GO_OUTPUT_ID) ?? "");
    const size = lengthOf(reply);
    const created = Number(reply.headers.get(HEADERS.created) ?? NaN);
    return {
      output,
      size,
      created: Number.isSafeInteger(created) ? created : undefined,
      body: reply.stream(),
    };
  } catch (thrown) {
    await reply.cancel();
    throw thrown;
  }
}

function digestNamed(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (cause) {
    throw new CacheError("corrupt", "Cannot use the answer: it names no output", {
      operation: "client.go_get",
      cause,
    });
  }
}
