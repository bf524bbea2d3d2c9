/** What the other side brings: checked, stored, and kept as records when all of it is here. */
import { createHash } from "node:crypto";
import { decodeRecipe } from "../../codec/recipe.ts";
import { walkRecipe } from "../../codec/recipe_walk.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Bytes } from "../../core/digest.ts";
import { sha256 } from "../../core/digest.ts";
import { HELD_RECIPE_BYTES, OPEN_BATCHES } from "../../core/sync_limits.ts";
import type {
  SyncBody,
  SyncCommit,
  SyncName,
  SyncPlace,
  SyncStore,
} from "../../core/sync_store.ts";
import { InBatch } from "./in_batch.ts";
import type { HeldRecipe } from "./in_batch.ts";
import { isRoot, listed } from "./listed.ts";
import { violation } from "./messages.ts";
import type {
  ChunkMessage,
  CommitMessage,
  CreditClass,
  PackMessage,
  RecipeMessage,
  RecordsMessage,
} from "./messages.ts";
import type { NamedBlob } from "./named_blobs.ts";
import type { Speaker } from "./speaker.ts";
import { unpack } from "./wire_pack.ts";

/** What a session gives to {@linkcode Incoming}. */
export interface IncomingOptions {
  readonly store: SyncStore;
  readonly speaker: Speaker;
  readonly ended: AbortSignal;
  /** Told of each batch that was kept. */
  readonly committed: (comparison: number, result: SyncCommit) => void;
}

/** All batches that are on their way to this side. */
export class Incoming {
  readonly #options: IncomingOptions;
  readonly #batches = new Map<number, InBatch>();
  #lastOffer = 0;
  #heldBytes = 0;
  /** Counts for whoever watches. */
  readonly received = { records: 0, chunks: 0, recipes: 0, smallBlobs: 0 };

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  /** Whether a batch of this comparison is not committed yet. */
  busy(comparison: number): boolean {
    return [...this.#batches.values()].some((batch) => batch.comparison === comparison);
  }

  /** Records of a batch; without a place they are refused, and what follows is dropped. */
  records(message: RecordsMessage, place: SyncPlace | undefined, bytes: number): void {
    this.#number(message.batch);
    if (this.#batches.size >= OPEN_BATCHES) throw violation("it brings too many batches at once");
    const batch = new InBatch(message.batch, message.comparison, place, message.records);
    this.#batches.set(batch.number, batch);
    this.received.records += message.records.length;
    this.#run(batch, { class: "work", bytes }, async () => {
      const { large, small } = batch.blobs;
      const missing = await this.#missing(batch, [...large, ...small]);
      [...large, ...small].forEach((blob, at) => missing[at] || batch.has(blob));
      const wanted = large.map((blob, at) =>
        missing[at]! && place !== undefined && batch.ask(blob)
      );
      this.#want(batch.number, wanted);
    });
  }

  /** A recipe that was asked for; what it lists and is not here is asked for in turn. */
  recipe(message: RecipeMessage, bytes: number): void {
    const batch = this.#batch(message.batch);
    this.#number(message.offer);
    const asked = batch.came(`recipe:${message.id.toHex()}`);
    const parts = listed(message.body, asked.blob);
    const { body } = message;
    const held: HeldRecipe = { blob: asked.blob, body, left: 1, waiters: asked.waiters };
    this.#heldBytes += body.length;
    batch.heldBytes += body.length;
    if (this.#heldBytes > HELD_RECIPE_BYTES) throw violation("too many recipes wait for chunks");
    this.received.recipes++;
    this.#run(batch, { class: "work", bytes }, async () => {
      const missing = await this.#missing(batch, parts);
      const wanted = parts.map((part, at) => missing[at]! && batch.ask(part, held));
      this.#want(message.offer, wanted);
      await this.#arrived(batch, held);
    });
  }

  /** A chunk that was asked for. */
  chunk(message: ChunkMessage, bytes: number): void {
    const batch = this.#batch(message.batch);
    const { blob, waiters } = batch.came(`chunk:${message.id.toHex()}`);
    if (message.rawLength !== blob.length) throw violation("a chunk has another length");
    const body = checked(unpack(message), blob);
    this.received.chunks++;
    this.#run(batch, { class: "bulk", bytes }, async () => {
      await this.#store(batch, [body]);
      batch.has(blob);
      for (const waiter of waiters) await this.#arrived(batch, waiter);
    });
  }

  /** Small blobs of a batch. */
  pack(message: PackMessage, bytes: number): void {
    const batch = this.#batch(message.batch);
    const blobs = batch.nextSmall(message.lengths.length);
    const raw = unpack(message);
    let at = 0;
    const bodies = blobs.flatMap((blob, n): (SyncBody & NamedBlob)[] => {
      const length = message.lengths[n]!;
      if (length === 0) return []; // the sender lost it
      return [{ ...blob, ...checked(raw.slice(at, at += length), blob) }];
    });
    this.received.smallBlobs += bodies.length;
    this.#run(batch, { class: "work", bytes }, async () => {
      await this.#store(batch, bodies);
      for (const body of bodies) batch.has(body);
    });
  }

  /** All of a batch was sent: what is complete is kept. */
  commit({ batch: number }: CommitMessage): void {
    const batch = this.#batch(number);
    batch.committed = true;
    this.#options.speaker.background(async () => {
      while (batch.work.size > 0) await Promise.all(batch.work);
      if (this.#options.ended.aborted) return;
      const result = await this.#keep(batch);
      this.#batches.delete(number);
      this.#heldBytes -= batch.heldBytes; // whose chunks never came
      const { outcomes } = result;
      this.#options.speaker.control((says) =>
        says.commitAck({
          batch: number,
          missing: outcomes.map((outcome) => outcome === "missing"),
          refused: outcomes.map((outcome) => outcome === "refused"),
          stamped: outcomes.flatMap((outcome, index) =>
            typeof outcome === "string" ? [] : [{ index, record: outcome }]
          ),
        })
      );
      this.#options.committed(batch.comparison, result);
    });
  }

  async #keep(batch: InBatch): Promise<SyncCommit> {
    const { store, ended: signal } = this.#options;
    // Rights may have ended since the records came.
    if (!batch.place || !store.can("write", batch.place)) {
      return { outcomes: batch.records.map(() => "refused"), changes: 0 };
    }
    const records = batch.records.map((body, n) => ({ body, complete: batch.complete(n) }));
    return await store.commit(batch.place, records, { signal });
  }

  #number(offer: number): void {
    if (offer <= this.#lastOffer) throw violation("its offers are not numbered in order");
    this.#lastOffer = offer;
  }

  #batch(number: number): InBatch {
    const batch = this.#batches.get(number);
    if (!batch || batch.committed) throw violation("it goes on with a batch that is not open");
    return batch;
  }

  /** One of those that a recipe waits for is here; with the last one so is what it makes. */
  async #arrived(batch: InBatch, held: HeldRecipe): Promise<void> {
    if (--held.left > 0) return;
    await this.#verify(batch, held);
    await this.#store(batch, [{ ...held.blob, body: held.body }]);
    this.#heldBytes -= held.body.length;
    batch.heldBytes -= held.body.length;
    batch.has(held.blob);
    for (const waiter of held.waiters) await this.#arrived(batch, waiter);
  }

  /** Chunks that are right may still make another blob than the root says. */
  async #verify(batch: InBatch, { blob, body }: HeldRecipe): Promise<void> {
    if (!isRoot(body)) return;
    const hash = createHash("sha256");
    const readPart = (id: Bytes) => this.#read(batch, { kind: "recipe", id });
    for await (const { id } of walkRecipe(decodeRecipe(body), readPart)) {
      const chunk = await this.#read(batch, { kind: "chunk", id });
      if (!chunk) return; // it went meanwhile; the commit finds that out
      hash.update(chunk);
    }
    if (!equalBytes(new Uint8Array(hash.digest()), blob.id)) {
      throw violation("a recipe makes another blob than it says");
    }
  }

  #missing({ place }: InBatch, names: readonly SyncName[]): Promise<boolean[]> {
    if (!place || names.length === 0) return Promise.resolve(names.map(() => true));
    return this.#options.store.missing(place, names, { signal: this.#options.ended });
  }

  #read({ place }: InBatch, name: SyncName): Promise<Bytes | undefined> {
    if (!place) return Promise.resolve(undefined);
    return this.#options.store.read(place, name, { signal: this.#options.ended });
  }

  async #store({ place }: InBatch, bodies: readonly SyncBody[]): Promise<void> {
    if (!place || bodies.length === 0) return;
    await this.#options.store.store(place, bodies, { signal: this.#options.ended });
  }

  #want(offer: number, wanted: readonly boolean[]): void {
    this.#options.speaker.control((says) => says.want({ offer, wanted }));
  }

  /** Credit comes back when the work is over. */
  #run(
    batch: InBatch,
    { class: creditClass, bytes }: { class: CreditClass; bytes: number },
    work: () => Promise<void>,
  ): void {
    const running = this.#options.speaker.background(work).finally(() => {
      batch.work.delete(running);
      this.#options.speaker.stored(creditClass, bytes);
    });
    batch.work.add(running);
  }
}

function checked(body: Bytes, { kind, id, length }: NamedBlob): SyncBody {
  if (body.length !== length || !equalBytes(sha256(body), id)) {
    throw violation("what it sends is not what its name says");
  }
  return { kind, id, body };
}
