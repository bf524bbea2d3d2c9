/** Plain requests without retries or disguise: what the way makes of them is the question. */
import { SizedUploads } from "../../client/sized_upload.ts";
import type { ByteStream } from "../../core/bytes.ts";
import { concat } from "../../core/bytes.ts";
import { problemError } from "../../protocol/problem.ts";
import type { CacheError } from "../../core/errors.ts";
import { HEADERS, PROBLEM_MEDIA_TYPE } from "../../protocol/url_space.ts";
import type { Target } from "./target.ts";
import { stepSignal } from "./target.ts";

/** Bytes that hold nothing open. */
export interface MadeUpBody {
  readonly size: number;
  open(): ByteStream;
}

/** A request. */
export interface Question {
  readonly method?: "GET" | "PUT" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent with its length. */
  readonly body?: MadeUpBody;
  /** Default false. */
  readonly withToken?: boolean;
  /** Milliseconds until it is given up. */
  readonly ms?: number;
}

/** An answer, or at least what can be said of it. */
export interface Visit {
  readonly status: number;
  readonly headers: Headers;
  /** The first bytes of the body, as text. */
  readonly text: string;
  /** Bytes of the whole body. */
  readonly bytes: number;
  /** Whether the cache server itself wrote it: a proxy in between does not know its headers. */
  readonly ours: boolean;
}

/** Bytes of a body that are kept: our own answers are shorter, a proxy's page is cut off. */
const KEPT_BYTES = 64 * 1024;

/** Sends requests to one server. */
export class Visitor implements Disposable {
  readonly target: Target;
  /** Set when the server has proved who it is; sent with questions that say so. */
  token: string | undefined;
  // Over HTTP/2 there would be no `Upgrade` to lose.
  readonly #client = Deno.createHttpClient({ http2: false });
  readonly #uploads: SizedUploads;

  constructor(target: Target) {
    this.target = target;
    this.#uploads = new SizedUploads(target.proxyEnv);
  }
  /** Asks once. Rejects when there is no answer at all. */
  async ask(path: string, question: Question = {}): Promise<Visit> {
    const { method = "GET", body, withToken = false, ms } = question;
    const signal = stepSignal(this.target, ms);
    const headers = new Headers({ "accept-encoding": "identity", ...question.headers });
    if (withToken && this.token !== undefined) headers.set("authorization", `Bearer ${this.token}`);
    const url = this.target.base + path;
    if (body) {
      // Nobody has to end the body: it holds nothing but what it makes up.
      const upload = { method, headers, body: body.open(), size: body.size, reuse: false, signal };
      return await read(await this.#uploads.send(url, upload));
    }
    const init: RequestInit & { client: Deno.HttpClient } = {
      method,
      headers,
      signal,
      redirect: "manual",
      client: this.#client,
    };
    return await read(await fetch(url, init));
  }
  /** As {@linkcode ask}, for JSON of ours. @throws {CacheError} as the server said */
  async askJson(path: string): Promise<unknown> {
    const visit = await this.ask(path, { withToken: true });
    if (visit.status !== 200) throw refusalOf(visit);
    return JSON.parse(visit.text);
  }
  [Symbol.dispose](): void {
    this.#client.close();
    this.#uploads[Symbol.dispose]();
  }
}

async function read(response: Response): Promise<Visit> {
  const kept: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    if (bytes < KEPT_BYTES) kept.push(part.subarray(0, KEPT_BYTES - bytes));
    bytes += part.length;
  }
  return {
    status: response.status,
    headers: response.headers,
    text: new TextDecoder().decode(concat(kept)),
    bytes,
    ours: response.headers.has(HEADERS.requestId),
  };
}

/** The error that an answer stands for. */
export function refusalOf({ status, headers, text }: Visit): CacheError {
  const problem = headers.get("content-type")?.startsWith(PROBLEM_MEDIA_TYPE) ?? false;
  return problemError({ status, body: problem ? tryJson(text) : undefined, operation: "doctor" });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // cut off, or none: then the status says it all
  }
}
