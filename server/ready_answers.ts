/**
 * Answers that were given lately and can be given again as they are: GET and HEAD of an entry that
 * is in memory. A whole one is found by the request's URL, before the URL is looked at.
 *
 * Nothing is taken on trust: who asks and what he may is decided anew for each request, and the
 * entry's memory says each time whether the entry is still the same. A route whose answer depends on
 * more of the request than URL, scopes and these headers must not offer it again.
 */
import type { Hold } from "../core/cache.ts";
import { HOT_ANSWERS, HOT_ANSWERS_BYTES } from "../core/limits.ts";
import type { Route, Tally } from "./exchange.ts";

/** An answer that is kept. */
export interface ReadyAnswer {
  /** Never sent itself: its clones share the bytes, and their headers are not checked again. */
  readonly response: Response;
  /** Bytes of the body that a clone sends. */
  readonly bytes: number;
  readonly route: Route;
  readonly namespace: string;
  readonly scopes: readonly string[];
  readonly tally: Tally;
  /** Who asked, by the header of that name: the one that decides between routes of entries. */
  readonly agent: string | null;
  /** One more header that decides, and what it said; `undefined` where there is none. */
  readonly by: { readonly name: string; readonly value: string | null } | undefined;
  readonly holds: Hold;
}

/** Headers with which a question is one of its own. */
const OWN = ["range", "if-none-match", "origin"] as const;

/** Whether the answer to a question with these headers can be one to another question. */
export function isPlain(headers: Headers): boolean {
  for (const name of OWN) if (headers.has(name)) return false;
  return true;
}

/** Answers by method and URL, of one thread. The oldest go first when there are too many. */
export class ReadyAnswers {
  readonly #answers = { GET: new Map<string, ReadyAnswer>(), HEAD: new Map<string, ReadyAnswer>() };
  #bytes = 0;

  /** The answer that was given to this question; whether it still holds is another question. */
  find(method: string, url: string): ReadyAnswer | undefined {
    return method === "GET" || method === "HEAD" ? this.#answers[method].get(url) : undefined;
  }

  keep(method: "GET" | "HEAD", url: string, answer: ReadyAnswer): void {
    const answers = this.#answers[method];
    this.drop(method, url);
    this.#bytes += answer.bytes;
    answers.set(url, answer);
    for (const [oldest] of answers) {
      if (answers.size <= HOT_ANSWERS && this.#bytes <= HOT_ANSWERS_BYTES) break;
      this.drop(method, oldest);
    }
  }

  drop(method: "GET" | "HEAD", url: string): void {
    const known = this.#answers[method].get(url);
    if (!known) return;
    this.#answers[method].delete(url);
    this.#bytes -= known.bytes;
  }
}

/** Whether an answer that is kept is one to this question, of who reads these scopes. */
export function fits(
  ready: ReadyAnswer,
  question: { readonly headers: Headers; readonly scopes: readonly string[] },
): boolean {
  const { headers, scopes } = question;
  return isPlain(headers) && headers.get("user-agent") === ready.agent &&
    (!ready.by || headers.get(ready.by.name) === ready.by.value) &&
    (scopes === ready.scopes ||
      scopes.length === ready.scopes.length && scopes.every((one, n) => one === ready.scopes[n]));
}
