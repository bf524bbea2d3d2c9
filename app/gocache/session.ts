/** One go command's cache: questions in, answers out, local files first. */
import type { ByteStream } from "../../core/bytes.ts";
import type { Clock } from "../../core/clock.ts";
import { toCacheError } from "../../core/errors.ts";
import { AnswerWriter } from "./answer_writer.ts";
import type { LocalOutputs } from "./local_outputs.ts";
import type { GoRequest, LocalOutput } from "./messages.ts";
import { endLine, hitLine, missLine, storedLine } from "./messages.ts";
import type { OutputFile } from "./output_file.ts";
import type { RemoteOutputs } from "./remote_outputs.ts";
import { RequestReader } from "./request_reader.ts";
import type { Uploads } from "./uploads.ts";

/** What a session is made of; the caller ends all of it. */
export interface SessionParts {
  readonly requests: ByteStream;
  /** Writes all of a text to the go command. */
  write(text: string): Promise<void>;
  readonly local: LocalOutputs;
  /** Without a server: the local files are all there is. */
  readonly remote: RemoteOutputs | undefined;
  /** Without them nothing is sent. */
  readonly uploads: Uploads | undefined;
  readonly clock: Clock;
  /** Aborts when the user wants an end: what is not sent yet is dropped. */
  readonly interrupted: AbortSignal;
  /** Work at the end, before the go command is told that it is over. */
  tidy(): Promise<void>;
}

/** What was asked and answered. */
export interface SessionCounts {
  gets: number;
  localHits: number;
  puts: number;
}

/**
 * Answers until the go command closes, or is gone.
 * @throws {CacheError} `invalid_argument` for what no go command writes
 */
export async function runSession(parts: SessionParts): Promise<SessionCounts> {
  const session = new Session(parts);
  return await session.run();
}

class Session {
  readonly #parts: SessionParts;
  readonly #answers: AnswerWriter;
  readonly #asked = new Set<Promise<void>>();
  readonly #counts: SessionCounts = { gets: 0, localHits: 0, puts: 0 };

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#answers = new AnswerWriter((text) => parts.write(text));
  }

  async run(): Promise<SessionCounts> {
    const reader = new RequestReader(this.#parts.requests);
    let close: GoRequest | undefined;
    try {
      for (let next = await reader.next(); next; next = await reader.next()) {
        if (next.command === "close") {
          close = next;
          break;
        }
        await this.#take(next, reader);
      }
    } finally {
      await reader.cancel();
    }
    await this.#end();
    if (close) this.#answers.send(endLine(close.id));
    // A go command that is gone wants no answer.
    if (close) await this.#answers.drained();
    return this.#counts;
  }

  async #take(request: GoRequest, reader: RequestReader): Promise<void> {
    if (request.command === "put") return await this.#put(request, reader);
    if (request.command !== "get") {
      return this.#answers.send(endLine(request.id, `unknown command ${request.command}`));
    }
    this.#counts.gets++;
    const found = this.#parts.local.find(request.action);
    if (found) {
      this.#counts.localHits++;
      return this.#answers.send(hitLine(request.id, found));
    }
    const { remote } = this.#parts;
    if (!remote) return this.#answers.send(missLine(request.id));
    // Not waited for: the next question may be about what is here.
    const asked: Promise<void> = remote.find(request.action)
      .then((found) =>
        this.#answers.send(found ? hitLine(request.id, found) : missLine(request.id))
      )
      .finally(() => this.#asked.delete(asked));
    this.#asked.add(asked);
  }

  async #put(request: GoRequest, reader: RequestReader): Promise<void> {
    this.#counts.puts++;
    const intake = new Intake(this.#parts.local);
    try {
      if (request.bodySize > 0) {
        for await (const part of reader.body(request.bodySize)) intake.write(part);
      }
      const kept = intake.keep(request, this.#parts.clock.now());
      this.#answers.send(storedLine(request.id, kept.path));
      this.#parts.uploads?.add(request.action, kept);
    } catch (thrown) {
      if (thrown !== intake.failure) throw thrown;
      // No disk of this machine takes it. The go command can not go on then, whatever we say.
      const { message } = toCacheError(thrown, "gocache.put");
      this.#answers.send(endLine(request.id, message));
    } finally {
      intake[Symbol.dispose]();
    }
  }

  async #end(): Promise<void> {
    const { remote, uploads, interrupted, tidy } = this.#parts;
    await Promise.all(this.#asked);
    await uploads?.finish(interrupted);
    await tidy();
    await remote?.stop();
  }
}

/** A body on its way to a file; after a failure its rest is still read, and told at the end. */
class Intake implements Disposable {
  readonly #local: LocalOutputs;
  #file: OutputFile | undefined;
  failure: unknown;

  constructor(local: LocalOutputs) {
    this.#local = local;
  }
  write(part: Uint8Array<ArrayBuffer>): void {
    if (this.failure === undefined) this.#do((file) => file.write(part));
  }
  keep({ action, output, bodySize: size }: GoRequest, time: number): LocalOutput {
    if (this.failure !== undefined) throw this.failure;
    const kept = this.#do((file) => {
      if (output === undefined) throw new TypeError("the put names no output");
      return this.#local.keep(file, { action, output, size, time });
    });
    if (!kept) throw this.failure;
    return kept;
  }
  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
  }

  #do<T>(work: (file: OutputFile) => T): T | undefined {
    try {
      return work(this.#file ??= this.#local.begin());
    } catch (thrown) {
      this.failure = thrown;
      return undefined;
    }
  }
}
