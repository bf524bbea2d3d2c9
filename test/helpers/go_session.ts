/** A session of the go command's cache, with the questions of a test. */
import assert from "node:assert/strict";
import { LocalOutputs } from "../../app/gocache/local_outputs.ts";
import { Patience } from "../../app/gocache/patience.ts";
import { RemoteOutputs } from "../../app/gocache/remote_outputs.ts";
import { runSession } from "../../app/gocache/session.ts";
import { Uploads } from "../../app/gocache/uploads.ts";
import type { RemoteCache } from "../../client/remote_cache.ts";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { digestHex, digestOf } from "../../core/digest.ts";
import { HEADERS } from "../../protocol/url_space.ts";
import { problem } from "./hostile_server.ts";
import type { TempDir } from "./temp.ts";

/** What most actions of these tests have as output. */
export const BODY = new TextEncoder().encode("compiled");
/** Headers by which an answer is one of ours. */
export const OURS = { [HEADERS.requestId]: "1" };

/** What a server of ours answers to a GET of an action that has this output. */
export function hit(
  bytes: BodyInit,
  output = digestHex(digestOf(BODY)),
  size = BODY.length,
): Response {
  const headers = { ...OURS, "go-output-id": output, "content-length": `${size}` };
  return new Response(bytes, { headers });
}

/** The answer to a GET of an action that has none. */
export const miss = () => problem(404, "not_found");

/** Hex digits of an action. */
export function action(n: number): string {
  return n.toString(16).padStart(2, "0").repeat(32);
}
/** The question for an action. */
export const get = (id: number, n: number) => ({
  ID: id,
  Command: "get",
  ActionID: Uint8Array.fromHex(action(n)).toBase64(),
});
/** The question that stores an output. */
export const put = (id: number, n: number, body = BODY) => ({
  ...get(id, n),
  Command: "put",
  OutputID: Uint8Array.fromHex(digestHex(digestOf(body))).toBase64(),
  body,
});
/** The last question. */
export const close = (id: number) => ({ ID: id, Command: "close" });

/** What came of a session. */
export interface Told {
  /** Answers by id. */
  readonly answers: Map<number, Record<string, unknown>>;
  /** Ids in the order of their answers. */
  readonly order: number[];
  readonly said: string[];
  readonly uploads: Uploads | undefined;
}

/** One line of the go command, with what follows it. */
export interface Question {
  readonly ID: number;
  readonly Command: string;
  readonly body?: Uint8Array;
}

/** How a session goes. */
export interface Asking {
  /** Whether to ask on before an answer is here. */
  readonly atOnce: boolean;
  readonly readOnly: boolean;
  readonly waitMs: number;
  readonly clock: Clock;
  readonly interrupted: AbortSignal;
}

/** A session that is asked one thing after the other, or all at once. */
export async function converse(
  dir: TempDir,
  remoteCache: RemoteCache | undefined,
  questions: readonly Question[],
  options: Partial<Asking> = {},
): Promise<Told> {
  const { atOnce = false, readOnly = false, waitMs = 200, clock = systemClock } = options;
  const { interrupted = new AbortController().signal } = options;
  const told: Told & { uploads: Uploads | undefined } = {
    answers: new Map(),
    order: [],
    said: [],
    uploads: undefined,
  };
  using local = new LocalOutputs(dir.join("go"), {
    clock,
    makeSpare: () => Deno.makeTempDirSync({ dir: dir.path }),
    onTrouble: (thrown) => assert.fail(String(thrown)),
  });
  const patience = new Patience(clock, (text) => told.said.push(text));
  const connect = () => Promise.resolve(remoteCache!.go("default"));
  const remote = remoteCache && new RemoteOutputs({ connect, local, patience, clock, waitMs });
  const server = () => remote!.server();
  const uploads = remote && !readOnly
    ? new Uploads({ server, patience, clock, waitMs })
    : undefined;
  told.uploads = uploads;
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>>();
  const writer = writable.getWriter();
  const waiting = new Map<number, () => void>();
  const session = runSession({
    requests: readable,
    write(text) {
      for (const line of text.trim().split("\n")) {
        const answer = JSON.parse(line);
        told.answers.set(answer.ID, answer);
        told.order.push(answer.ID);
        waiting.get(answer.ID)?.();
      }
      return Promise.resolve();
    },
    local,
    remote,
    uploads,
    clock,
    interrupted,
    tidy: () => Promise.resolve(),
  });
  for (const { body, ...question } of questions) {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(question.ID, resolve);
    const size = body && body.length > 0 ? { BodySize: body.length } : {};
    const line = `${JSON.stringify({ ...question, ...size })}\n\n`;
    const rest = body && body.length > 0 ? `"${body.toBase64()}"\n` : "";
    const wrote = writer.write(new TextEncoder().encode(line + rest));
    // Who closed reads no more.
    if (question.Command === "close") wrote.catch(() => {});
    else await wrote;
    if (!atOnce) await promise;
  }
  await session;
  return told;
}
