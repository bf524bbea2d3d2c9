/** What this side brings: batches of records, then whatever of their blobs the other side wants. */
import { abortable } from "../../core/abort.ts";
import type { Bytes } from "../../core/digest.ts";
import {
  MAX_WIRE_CHUNK_BYTES,
  OPEN_BATCHES,
  PACK_BLOBS,
  PACK_RAW_BYTES,
} from "../../core/sync_limits.ts";
import type { SyncName, SyncPlace, SyncStore } from "../../core/sync_store.ts";
import { InLine } from "../in_line.ts";
import { violation } from "./messages.ts";
import type { CommitAckMessage, WantMessage } from "./messages.ts";
import { listed } from "./listed.ts";
import { namedBlobs } from "./named_blobs.ts";
import type { NamedBlob } from "./named_blobs.ts";
import type { Speaker } from "./speaker.ts";
import { packBodies } from "./wire_pack.ts";

interface OutBatch {
  readonly place: SyncPlace;
  readonly records: readonly Bytes[];
  number: number;
  /** Offers without a WANT, and WANTs that are being answered. */
  open: number;
  readonly answers: InLine;
  readonly allSent: PromiseWithResolvers<void>;
  readonly acked: PromiseWithResolvers<CommitAckMessage>;
  committed: boolean;
}

/** Counts for whoever watches. */
export interface Sent {
  records: number;
  chunks: number;
  recipes: number;
  smallBlobs: number;
}

/** All batches that are on their way to the other side. */
export class Outgoing {
  readonly sent: Sent = { records: 0, chunks: 0, recipes: 0, smallBlobs: 0 };
  readonly #store: SyncStore;
  readonly #speaker: Speaker;
  readonly #ended: AbortSignal;
  readonly #batches = new Map<number, OutBatch>();
  readonly #offers = new Map<number, { batch: OutBatch; parts: readonly NamedBlob[] }>();
  readonly #places = Array.from({ length: OPEN_BATCHES }, () => new InLine());
  #lastOffer = 0;

  constructor(
    { store, speaker, ended }: { store: SyncStore; speaker: Speaker; ended: AbortSignal },
  ) {
    this.#store = store;
    this.#speaker = speaker;
    this.#ended = ended;
  }

  /** Brings records and what they name; resolves with what became of them. */
  push(comparison: number, place: SyncPlace, records: readonly Bytes[]): Promise<CommitAckMessage> {
    const free = this.#places.reduce((a, b) => b.length < a.length ? b : a);
    return free.run(() => this.#push(comparison, place, records), this.#ended);
  }

  /** Says that nothing follows in a comparison. */
  async last(comparison: number): Promise<void> {
    const end = { comparison, batch: 0, last: true, records: [] };
    await this.#speaker.say("work", (says) => says.records(end));
  }

  /** Which parts of an offer the other side wants. */
  want({ offer, wanted }: WantMessage): void {
    const offered = this.#offers.get(offer);
    if (!offered) throw violation("it wants what was not offered");
    const { batch, parts } = offered;
    if (wanted.length !== parts.length) throw violation("it wants more or less than was offered");
    this.#offers.delete(offer);
    this.#speaker.background(() =>
      batch.answers.run(async () => {
        for (const [at, part] of parts.entries()) if (wanted[at]) await this.#send(batch, part);
        this.#closed(batch);
      }, this.#ended)
    );
  }

  /** What became of a batch. */
  acknowledge(message: CommitAckMessage): void {
    const batch = this.#batches.get(message.batch);
    if (!batch?.committed) throw violation("it acknowledges what was not sent");
    if (message.missing.length !== batch.records.length) {
      throw violation("it acknowledges more or less than was sent");
    }
    this.#batches.delete(message.batch);
    batch.acked.resolve(message);
  }

  async #push(
    comparison: number,
    place: SyncPlace,
    records: readonly Bytes[],
  ): Promise<CommitAckMessage> {
    const { small, large } = namedBlobs(records);
    const batch: OutBatch = {
      place,
      records,
      number: 0,
      open: 2, // the offer of the records, and the packs
      answers: new InLine(),
      allSent: Promise.withResolvers(),
      acked: Promise.withResolvers(),
      committed: false,
    };
    await this.#speaker.say("work", (says) => {
      batch.number = ++this.#lastOffer;
      this.#batches.set(batch.number, batch);
      this.#offers.set(batch.number, { batch, parts: large });
      says.records({ comparison, batch: batch.number, last: false, records });
    });
    this.sent.records += records.length;
    await this.#sendPacks(batch, small);
    this.#closed(batch);
    await abortable(batch.allSent.promise, this.#ended);
    batch.committed = true;
    this.#speaker.control((says) => says.commit({ batch: batch.number }));
    return await abortable(batch.acked.promise, this.#ended);
  }

  #closed(batch: OutBatch): void {
    if (--batch.open === 0) batch.allSent.resolve();
  }

  async #sendPacks(batch: OutBatch, small: readonly NamedBlob[]): Promise<void> {
    let bodies: Bytes[] = [];
    let bytes = 0;
    const flush = async () => {
      if (bodies.length === 0) return;
      const packed = packBodies(bodies);
      const lengths = bodies.map(({ length }) => length);
      this.sent.smallBlobs += bodies.length;
      [bodies, bytes] = [[], 0];
      await this.#speaker.say(
        "work",
        (says) => says.pack({ batch: batch.number, lengths, ...packed }),
      );
    };
    for (const blob of small) {
      if (bytes + blob.length > PACK_RAW_BYTES || bodies.length === PACK_BLOBS) await flush();
      const body = await this.#read(batch, blob) ?? new Uint8Array(0);
      bodies.push(body);
      bytes += body.length;
    }
    await flush();
  }

  /** What is gone, or fits no message, is left out: the other side sees with the COMMIT what it lacks. */
  async #send(batch: OutBatch, part: NamedBlob): Promise<void> {
    const body = await this.#read(batch, part);
    if (!body || body.length > MAX_WIRE_CHUNK_BYTES) return;
    const { id } = part;
    if (part.kind === "chunk") {
      const packed = packBodies([body]);
      this.sent.chunks++;
      await this.#speaker.say("bulk", (says) => says.chunk({ batch: batch.number, id, ...packed }));
      return;
    }
    const parts = listed(body, part);
    this.sent.recipes++;
    batch.open++;
    await this.#speaker.say("work", (says) => {
      const offer = ++this.#lastOffer;
      this.#offers.set(offer, { batch, parts });
      says.recipe({ batch: batch.number, offer, id, body });
    });
  }

  #read({ place }: OutBatch, name: SyncName): Promise<Bytes | undefined> {
    return this.#store.read(place, name, { signal: this.#ended });
  }
}
