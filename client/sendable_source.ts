/**
 * Makes any source fit to be sent: a body goes out with its length, because many servers read one
 * without slowly, and is read again when the connection breaks.
 */
import { abortable } from "../core/abort.ts";
import type { ByteSource, SignalOptions } from "../core/bytes.ts";
import { bytesSource, concat } from "../core/bytes.ts";
import type { Bytes } from "../core/digest.ts";
import { CacheError } from "../core/errors.ts";
import { MAX_BLOB_BYTES, SMALL_BODY_BYTES } from "../core/limits.ts";
import { hashedSource } from "./hashed_source.ts";
import type { HashedSource } from "./hashed_source.ts";
import { SpoolFile } from "./spool_file.ts";

/** How {@linkcode sendableSource} goes about it. */
export interface SendableOptions extends SignalOptions {
  /** Whether the digest is needed before the first byte is sent. */
  readonly digestFirst: boolean;
  /** Folder for what must be kept on disk. Default: the system's for temporary files. */
  readonly spoolDir: string | undefined;
}

/** A source of known size. Disposing it removes what was kept of it on disk. */
export interface SendableSource extends AsyncDisposable {
  /** At most 1 MiB as bytes, more as a stream. `seen` is set where `digestFirst` was asked for. */
  readonly source: HashedSource;
}

/**
 * A file goes as it is. What tells no size is read to its end first, and so is what can be read
 * only once when its digest is needed: up to 1 MiB into memory, above into a file without a name.
 * Aborting rejects with the signal's reason and cancels the stream.
 * @throws {CacheError} `invalid_argument` when the source holds more or fewer bytes than it says,
 * `too_large` for a stream of unknown size above 10 GiB, `quota_exceeded` on a full disk, what the
 * source threw
 */
export async function sendableSource(
  source: ByteSource,
  options: SendableOptions,
): Promise<SendableSource> {
  const { digestFirst, signal } = options;
  signal?.throwIfAborted();
  const { bytes, size } = source;
  if (bytes) {
    if (size !== bytes.length) throw otherSize(bytes.length, size);
    return keepsNothing(hashedSource(source));
  }
  const large = size !== undefined && size > SMALL_BODY_BYTES;
  if (!large || (digestFirst && !source.replayable)) return await kept(source, options);
  const hashed = hashedSource(source);
  if (digestFirst) await readParts({ ...source, open: hashed.open }, { signal }, async () => {});
  return keepsNothing(hashed);
}

async function kept(
  source: ByteSource,
  { signal, spoolDir }: SendableOptions,
): Promise<SendableSource> {
  const parts: Bytes[] = [];
  let size = 0;
  let file: SpoolFile | undefined;
  const hashed = hashedSource(source);
  try {
    await readParts({ ...source, open: hashed.open }, { signal }, async (part) => {
      size += part.length;
      if (file) return await file.append(part);
      parts.push(part);
      if (size <= SMALL_BODY_BYTES) return;
      file = await SpoolFile.create(spoolDir);
      for (const early of parts.splice(0)) await file.append(early);
    });
  } catch (thrown) {
    await file?.[Symbol.asyncDispose]();
    throw thrown;
  }
  if (!file) return keepsNothing(hashedSource(bytesSource(concat(parts, size))));
  const spool: SpoolFile = file;
  return {
    // Its digest is known already; the size is checked again on the way out.
    source: { size, replayable: true, open: () => spool.stream(), seen: hashed.seen },
    [Symbol.asyncDispose]: () => spool[Symbol.asyncDispose](),
  };
}

/** Reads a source to its end, part by part; cancels it if anything fails. */
async function readParts(
  source: ByteSource,
  { signal }: SignalOptions,
  take: (part: Bytes) => Promise<void>,
): Promise<void> {
  const limit = source.size ?? MAX_BLOB_BYTES;
  const reader = source.open({ signal }).getReader();
  let size = 0;
  try {
    while (true) {
      const { done, value } = await abortable(reader.read(), signal);
      if (done) break;
      size += value.length;
      if (size > limit) throw source.size === undefined ? endless() : otherSize(size, limit);
      await take(value);
    }
    if (source.size !== undefined && size < source.size) throw otherSize(size, source.size);
  } catch (thrown) {
    // What failed first is what counts: a source that failed says the same again here.
    await reader.cancel(thrown).catch(() => {});
    throw thrown;
  }
}

function keepsNothing(source: HashedSource): SendableSource {
  return { source, [Symbol.asyncDispose]: async () => {} };
}

function otherSize(found: number, said: number | undefined): CacheError {
  return new CacheError(
    "invalid_argument",
    `Cannot send the body: it has ${found} bytes or more, want ${said}`,
    { operation: "client.upload" },
  );
}

function endless(): CacheError {
  return new CacheError(
    "too_large",
    `Cannot keep the stream: it has more than ${MAX_BLOB_BYTES} bytes`,
    { operation: "client.spool", hint: "store it from a file: that is sent without a copy" },
  );
}
