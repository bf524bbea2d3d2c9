/** The writer's side of a serving thread's `MessagePort`. */
import type { WriterPort } from "../core/chunk_store.ts";
import { toPlainError } from "../core/errors.ts";
import type { EntryId } from "../core/entry.ts";
import type { DamagedPlace } from "../store/pack/damage.ts";
import type { DataRecord } from "../core/record.ts";
import type { CommitAnswer, CommitCall, PackedCommits } from "./packed_commits.ts";
import { shortAnswer, unpackCommits } from "./packed_commits.ts";
import type { PortAnswer, PortRequest } from "./port_messages.ts";

/** What the writer's thread does for a serving thread. */
export interface WriterServices {
  readonly writer: WriterPort;
  touchEntries(ids: readonly EntryId[], at: number): void;
  damaged(place: DamagedPlace): void;
  /** Commits rows that are open, for somebody who waits for it. */
  commitRows(): void;
  /** Rare work, by name. */
  readonly operations: Readonly<Record<string, (argument: unknown) => Promise<unknown>>>;
}

/** Serves one thread until disposed; its open uploads are then aborted. */
export function serveWriter(port: MessagePort, services: WriterServices): ServedThread {
  const uploads = new Set<string>();
  const answer = (message: PortAnswer) => port.postMessage(message);

  async function work(request: Extract<PortRequest, { call: number }>): Promise<unknown> {
    switch (request.type) {
      case "append":
        uploads.add(request.upload);
        return await services.writer.append(request.upload, request.records)
          .finally(() => free(request.records));
      case "commit":
        if (request.batch.upload !== undefined) uploads.delete(request.batch.upload);
        return await services.writer.commit(request.batch)
          .finally(() => free(request.batch.records ?? []));
      case "abort":
        uploads.delete(request.upload);
        return await services.writer.abort(request.upload);
      case "call": {
        const operation = services.operations[request.operation];
        if (!operation) {
          throw new TypeError(`Cannot call "${request.operation}": no such operation`);
        }
        return await operation(request.argument);
      }
      default:
        throw new TypeError(`Cannot serve ${JSON.stringify(request satisfies never)}`);
    }
  }

  const answers = new AnswerBatch((ready) => answer({ type: "committed", answers: ready }));

  async function commit(one: CommitCall): Promise<void> {
    const { call } = one;
    try {
      answers.add(shortAnswer(one, await services.writer.commit(one.batch)));
    } catch (thrown) {
      answers.add({ call, error: toPlainError(thrown) });
    }
  }

  function commitAll(packed: PackedCommits): void {
    const commits = unpackCommits(packed);
    let left = commits.length;
    const { buffer } = packed.bytes;
    for (const one of commits) {
      void commit(one).finally(() => {
        free((one.batch.records ?? []).filter(({ body }) => body.buffer !== buffer));
        if (--left === 0) freeBuffer(buffer);
      });
    }
  }

  port.onmessage = (event: MessageEvent<PortRequest>) => {
    const request = event.data;
    if (request.type === "commits") return commitAll(request.packed);
    if (request.type === "touch") return services.writer.touch(request.kind, request.ids);
    if (request.type === "touch_entries") return services.touchEntries(request.ids, request.at);
    if (request.type === "damage") return services.damaged(request.place);
    if (request.type === "commit_rows") return services.commitRows();
    const { call } = request;
    work(request).then(
      (result) => answer({ type: "done", call, result }),
      (thrown) => answer({ type: "failed", call, error: toPlainError(thrown) }),
    );
  };
  return {
    retire: (segments) => answer({ type: "retire", segments: [...segments] }),
    async [Symbol.asyncDispose]() {
      port.close();
      for (const upload of uploads) await services.writer.abort(upload);
      uploads.clear();
    },
  };
}

/**
 * Gives the memory of written bodies back at once. They came by transfer, so nobody else has them,
 * and the collector of this thread would let hundreds of megabytes of them wait.
 */
function free(records: readonly DataRecord[]): void {
  for (const { body } of records) freeBuffer(body.buffer);
}

function freeBuffer(buffer: ArrayBuffer): void {
  if (!buffer.detached) buffer.transfer(0);
}

/** Microtasks after the first answer in which the others of its round come. */
const ANSWER_TURNS = 4;

/** Gathers the answers of one round: they all come in a few microtasks, and go as one message. */
class AnswerBatch {
  readonly #send: (answers: readonly CommitAnswer[]) => void;
  #answers: CommitAnswer[] = [];

  constructor(send: (answers: readonly CommitAnswer[]) => void) {
    this.#send = send;
  }
  add(answer: CommitAnswer): void {
    if (this.#answers.push(answer) === 1) void this.#sendSoon();
  }
  /** Before the next round, which keeps this thread busy, and so before any task. */
  async #sendSoon(): Promise<void> {
    for (let turn = 0; turn < ANSWER_TURNS; turn++) await undefined;
    const answers = this.#answers;
    this.#answers = [];
    this.#send(answers);
  }
}

/** A serving thread, as the writer knows it. */
export interface ServedThread extends AsyncDisposable {
  /** Tells the thread to give up its descriptors on these segments. */
  retire(segments: readonly number[]): void;
}
