/** A certificate and its key from files that somebody else renews. */
import type { Clock } from "../../core/clock.ts";
import { CacheError } from "../../core/errors.ts";
import { CERTIFICATE_POLL_MS } from "../../core/limits.ts";

/** Where the pair is, both in PEM. */
export interface TlsFiles {
  /** The certificate, and after it those that lead to a known authority. */
  readonly certFile: string;
  readonly keyFile: string;
}

/** The pair itself. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads both files.
 * @throws {CacheError} `invalid_argument` if one can not be read or is not PEM
 */
export async function readTlsPair(files: TlsFiles): Promise<TlsPair> {
  const [cert, key] = await Promise.all([
    readPem(files.certFile, "CERTIFICATE"),
    readPem(files.keyFile, "PRIVATE KEY"),
  ]);
  return { cert, key };
}

/**
 * Looks at the files every few seconds (links may be turned over, which no watch sees) and calls
 * `use` with a pair that differs from the one in use. A pair that `use` refuses, such as a new
 * certificate whose key is not written yet, is tried again at the next look.
 * Resolves when the signal aborts.
 */
export async function watchTlsPair(files: TlsFiles, options: {
  readonly inUse: TlsPair;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly pollMs?: number | undefined;
  /** Puts a new pair to use; throws if it is no good. */
  use(pair: TlsPair): void;
  /** Hears why a pair is not in use; once for each different reason. */
  onError(error: unknown): void;
}): Promise<void> {
  const { clock, signal } = options;
  let inUse = options.inUse;
  let said = "";
  while (!signal.aborted) {
    try {
      await clock.sleep(options.pollMs ?? CERTIFICATE_POLL_MS, signal);
    } catch {
      return; // aborted, which is how this ends
    }
    try {
      const pair = await readTlsPair(files);
      if (signal.aborted || (pair.cert === inUse.cert && pair.key === inUse.key)) continue;
      options.use(pair);
      inUse = pair;
      said = "";
    } catch (error) {
      const reason = (error as Error).message;
      if (reason !== said) options.onError(error);
      said = reason;
    }
  }
}

async function readPem(path: string, what: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    const operation = "listener.tls";
    throw new CacheError("invalid_argument", `Cannot read "${path}"`, { operation, cause });
  }
  if (/-----BEGIN [A-Z ]+-----/.test(text) && text.includes(`${what}-----`)) return text;
  const wanted = what === "CERTIFICATE" ? "a certificate" : "a private key";
  throw new CacheError("invalid_argument", `Cannot use "${path}": not PEM, want ${wanted}`);
}
