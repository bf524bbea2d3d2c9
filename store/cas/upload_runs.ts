/** Records of one upload, handed to the writer in runs, with a bounded number of bytes under way. */
import type { CommitBatch, WriterPort } from "../../core/chunk_store.ts";
import type { DataRecord } from "../../core/record.ts";
import { UPLOAD_WINDOW_BYTES } from "../../core/limits.ts";

/** Bytes of one `append`: records that are written together lie together and are read at once. */
const RUN_BYTES = 1024 * 1024;

/** Gathers records; `add` waits while too many bytes are under way. */
export class UploadRuns {
  readonly #port: WriterPort;
  readonly #upload: string;
  #run: DataRecord[] = [];
  #runBytes = 0;
  #underWay = 0;
  #begun = false;
  #failure: { thrown: unknown } | undefined;
  readonly #appends = new Set<Promise<void>>();

  constructor(port: WriterPort, upload: string) {
    this.#port = port;
    this.#upload = upload;
  }
  /** Takes a record; its memory changes hands. @throws what an earlier append threw */
  async add(record: DataRecord): Promise<void> {
    this.#run.push(record);
    this.#runBytes += record.body.length;
    if (this.#runBytes < RUN_BYTES) return;
    const most = UPLOAD_WINDOW_BYTES - this.#runBytes;
    while (this.#underWay > 0 && this.#underWay > most && !this.#failure) {
      await Promise.race(this.#appends);
    }
    this.#throwFailure();
    this.#send();
  }
  /** The batch that commits the upload, with the records that are still here. */
  async finish(): Promise<CommitBatch> {
    await Promise.all(this.#appends);
    this.#throwFailure();
    const records = this.#run;
    this.#run = [];
    return this.#begun ? { upload: this.#upload, records } : { records };
  }
  /** Ends the upload; what only it needed is dropped. */
  async abort(): Promise<void> {
    // They were handed over, and have not left: the collector would let them wait. What is no chunk
    // may stand in memory that it shares.
    for (const { kind, body } of this.#run) if (kind === "chunk") body.buffer.transfer(0);
    this.#run = [];
    await Promise.all(this.#appends);
    if (this.#begun) await this.#port.abort(this.#upload);
  }
  #send(): void {
    const bytes = this.#runBytes;
    const records = this.#run;
    this.#run = [];
    this.#runBytes = 0;
    this.#underWay += bytes;
    this.#begun = true;
    const append: Promise<void> = this.#port.append(this.#upload, records).catch((thrown) => {
      // Kept for the next call of the owner: nobody awaits this promise alone.
      this.#failure ??= { thrown };
    }).finally(() => {
      this.#underWay -= bytes;
      this.#appends.delete(append);
    });
    this.#appends.add(append);
  }
  #throwFailure(): void {
    if (this.#failure) throw this.#failure.thrown;
  }
}
