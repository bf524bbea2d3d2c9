/** Failures of the file system in the words of the store. Decided by code, never by message. */
import { CacheError } from "../../core/errors.ts";
import type { ErrorKind } from "../../core/errors.ts";

const KIND_OF_CODE: Readonly<Record<string, readonly [kind: ErrorKind, state: string]>> = {
  ENOSPC: ["quota_exceeded", "the disk is full"],
  EDQUOT: ["quota_exceeded", "the quota of this user is used up"],
  EFBIG: ["too_large", "the file system takes no file of this size"],
  EMFILE: ["unavailable", "no descriptors left in this process"],
  ENFILE: ["unavailable", "no descriptors left on this machine"],
  ENOMEM: ["unavailable", "no memory left"],
  EIO: ["unavailable", "the disk failed"],
  EBUSY: ["unavailable", "it is busy"],
  EAGAIN: ["unavailable", "it is busy"],
  EINTR: ["unavailable", "it was interrupted"],
  ESTALE: ["unavailable", "the network file system lost it"],
  ETIMEDOUT: ["unavailable", "the network file system does not answer"],
  EHOSTDOWN: ["unavailable", "the network file system does not answer"],
  ENODEV: ["unavailable", "the file system is gone"],
  ENXIO: ["unavailable", "the file system is gone"],
  EACCES: ["permission_denied", "this user may not"],
  EPERM: ["permission_denied", "this user may not"],
  EROFS: ["permission_denied", "the file system is read-only"],
  ELOOP: ["permission_denied", "it goes through a symbolic link"],
  ENOENT: ["unavailable", "a folder on the way is gone"],
  ENOTDIR: ["internal", "a part of its path is not a folder"],
  EISDIR: ["internal", "a folder stands in its place"],
  ENOTEMPTY: ["internal", "a folder stands in its place"],
};

/** The code of an operating-system error, such as `ENOENT`; `undefined` for any other value. */
export function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code } = thrown as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** What was tried, for {@linkcode translateFsError}. */
export interface FsAttempt {
  /** As in "Cannot <verb> <what>". */
  readonly verb: string;
  /** As in "Cannot <verb> <what>": `object "data/ab/x"`. */
  readonly what: string;
}

/**
 * The {@linkcode CacheError} for what a call of the file system threw: a full disk is
 * `quota_exceeded` and permanent, missing descriptors and failing disks are `unavailable`. A
 * `CacheError` passes unchanged.
 */
export function translateFsError(thrown: unknown, { verb, what }: FsAttempt): CacheError {
  if (thrown instanceof CacheError) return thrown;
  const code = codeOf(thrown);
  const [kind, state] = KIND_OF_CODE[code ?? ""] ?? ["internal", code ?? String(thrown)] as const;
  return new CacheError(kind, `Cannot ${verb} ${what}: ${state}`, {
    operation: `fs.${verb}`,
    cause: thrown,
    ...(code === undefined ? {} : { context: { code } }),
    ...(kind === "quota_exceeded" ? { hint: "Make room on the disk, or lower --max-size" } : {}),
  });
}

/** Waits for one call of the file system and translates what it throws. */
export async function fsCall<T>(attempt: FsAttempt, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (thrown) {
    throw translateFsError(thrown, attempt);
  }
}
