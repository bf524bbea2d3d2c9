/** Sends messages of a session: in the lane of their class, and only with credit for it. */
import type { Bytes } from "../../core/digest.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import { WAITING_CONTROL_BYTES } from "../../core/sync_limits.ts";
import type { Transport } from "../../core/transport.ts";
import { InLine } from "../in_line.ts";
import { CreditAccount, CreditWindows } from "./credit.ts";
import { encodeSession } from "./encode.ts";
import { CREDIT_CLASSES, LANE } from "./messages.ts";
import type { CreditClass, SessionMessages } from "./messages.ts";

/** Says exactly one thing. */
export type Tell = (says: SessionMessages) => void;

/** The way out of a session, and the books of what may be on the way. */
export class Speaker {
  readonly account = new CreditAccount();
  readonly windows = new CreditWindows();
  readonly #transport: Transport;
  readonly #lines = new Map(CREDIT_CLASSES.map((name) => [name, new InLine()]));
  readonly #ended: AbortSignal;
  readonly #fail: (error: CacheError) => void;
  readonly #running = new Set<Promise<void>>();
  #waitingControl = 0;
  #said: Bytes | undefined;
  readonly #says = encodeSession((message) => this.#said = message);

  /** `ended` ends all that waits; `fail` is told what nobody awaits. */
  constructor(
    transport: Transport,
    { ended, fail }: { ended: AbortSignal; fail: (error: CacheError) => void },
  ) {
    this.#transport = transport;
    this.#ended = ended;
    this.#fail = fail;
  }

  /** Says something that needs no credit, in the order of the calls; waits for nothing. */
  control(tell: Tell): void {
    if (this.#ended.aborted) return;
    const message = this.#encode(tell);
    this.#waitingControl += message.length;
    if (this.#waitingControl > WAITING_CONTROL_BYTES) {
      return this.#fail(
        new CacheError("unavailable", "Cannot go on with the peer: it does not read any more", {
          operation: "session.send",
        }),
      );
    }
    this.background(async () => {
      await this.#transport.send(message, { lane: LANE.control });
      this.#waitingControl -= message.length;
    });
  }

  /**
   * Says something of a class, behind all that was said in it before. `tell` is called when it is
   * its turn; resolves when it was sent.
   */
  say(creditClass: CreditClass, tell: Tell): Promise<void> {
    const signal = this.#ended;
    return this.#lines.get(creditClass)!.run(async () => {
      const message = this.#encode(tell);
      await this.account.take(creditClass, message.length, { signal });
      await this.#transport.send(message, { lane: LANE[creditClass], signal });
    }, signal);
  }

  /** What came in a class is stored: more may come. */
  stored(creditClass: CreditClass, bytes: number): void {
    const grant = this.windows.stored(creditClass, bytes);
    if (grant > 0) this.control((says) => says.credit({ class: creditClass, bytes: grant }));
  }

  /** Runs what nobody awaits; when it fails, so does the session. */
  background(work: () => Promise<void>): Promise<void> {
    const running = work().catch((thrown) => {
      if (!this.#ended.aborted) this.#fail(toCacheError(thrown, "session"));
    }).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /** Resolves when nothing runs in the background any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #encode(tell: Tell): Bytes {
    tell(this.#says);
    const message = this.#said;
    this.#said = undefined;
    if (!message) throw new TypeError("Cannot send: nothing was said");
    return message;
  }
}
