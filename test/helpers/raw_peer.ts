/** A peer that says whatever a test wants, to a session that is real. */
import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import type { Bytes } from "../../core/digest.ts";
import { isKind } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";
import { MAX_MESSAGE_BYTES } from "../../core/sync_limits.ts";
import type { SyncPlace, SyncStore } from "../../core/sync_store.ts";
import { encodeTo } from "../../sync/reconcile/encode.ts";
import { encodeSession } from "../../sync/session/encode.ts";
import { SESSION_NUMBER } from "../../sync/session/messages.ts";
import type { SessionMessages } from "../../sync/session/messages.ts";
import { Session } from "../../sync/session/session.ts";
import { memoryTransports } from "../../sync/transport_memory.ts";

/** The other end of a real session, which answers. */
export class RawPeer {
  readonly clock = new ManualClock();
  readonly session: Session;
  readonly says: SessionMessages;
  readonly #sends: Promise<void>[] = [];
  readonly #end: ReturnType<typeof memoryTransports>[0];
  readonly #run: Promise<unknown>;
  /** Numbers of the messages that came from the session. */
  readonly heard: Bytes[] = [];
  readonly #reading: Promise<void>;

  constructor(store: SyncStore) {
    const [mine, theirs] = memoryTransports({ maxFrameBytes: MAX_MESSAGE_BYTES });
    mine.allowUnread(2 ** 30);
    this.#end = mine;
    const salt = new Uint8Array(32);
    this.session = new Session(theirs, { role: "answerer", store, clock: this.clock, salt });
    this.#run = this.session.run().then(() => undefined, (error: unknown) => error);
    this.says = encodeSession((message) => this.raw(message));
    this.#reading = this.#read();
  }

  /** Sends these bytes. */
  raw(message: Bytes): void {
    this.#sends.push(mute(this.#end.send(message)));
  }

  /** Says HELLO as it should be. */
  hello(): void {
    this.says.hello({ oldest: 1, newest: 1, capabilities: 0, clock: this.clock.now() });
  }

  /** Opens comparison 2, with one item that nobody has. */
  open({ namespace, scope }: SyncPlace): void {
    const says = encodeTo((body) => this.says.compare({ comparison: 2, body }));
    says.open({
      namespace,
      scope,
      state: {
        indexId: "c".repeat(16),
        epoch: 0,
        sequence: 1,
        count: 1,
        horizon: 0n,
        root: new Uint8Array(32).fill(5),
        seen: undefined,
      },
    });
  }

  /** Waits until the session has answered all there was to answer, as long as it does no I/O. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Messages of one kind that were heard. */
  of(name: keyof SessionMessages): Bytes[] {
    return this.heard.filter((message) => message[0] === SESSION_NUMBER[name]);
  }

  /** The session has ended with an error of this kind, whose text has these words. */
  async ends(kind: ErrorKind, words: RegExp): Promise<void> {
    const error = await this.#run;
    await Promise.all(this.#sends);
    await this.#reading;
    assert.ok(isKind(error, kind), String(error));
    assert.match(error.message, words);
  }

  async #read(): Promise<void> {
    try {
      for await (const frame of this.#end.frames) this.heard.push(frame);
    } catch {
      // Why it ended is asked of the session.
    }
  }
}

/** A send fails when the session has ended, which `ends` tells about. */
function mute(sending: Promise<void>): Promise<void> {
  return sending.catch(() => {});
}
