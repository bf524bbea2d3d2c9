/** Named limits of commands that stand in the middle of a build: value, unit, and why it is that number. */

/**
 * Milliseconds that a command which must not hold up a build waits for one small answer, with
 * connecting in it: a far server needs 1 s after a cold start of name, TCP and TLS.
 */
export const TOLERANT_ANSWER_MS = 2_000;

/** Milliseconds without one byte after which such a command gives a transfer up. */
export const TOLERANT_STALL_MS = 4_000;

/**
 * A transfer of such a command gets this many milliseconds, and one second more for as many bytes
 * (a megabit per second): what is slower costs the build more than it saves.
 */
export const TOLERANT_TRANSFER_MS = 10_000;
export const TOLERANT_BYTES_PER_SECOND = 128 * 1024;

/** Milliseconds: how exact "last used" of Go's local files is; the price is one small write each time. */
export const GO_TOUCH_MS = 60 * 60 * 1000;

/**
 * Milliseconds for which Go's local files stay after their last use, whatever the limit says: a go
 * command that was told of one may read it until it ends.
 */
export const GO_KEEP_MS = 6 * 60 * 60 * 1000;

/** Bytes of Go's local files above which the longest unused go: a year of one project's builds. */
export const GO_LOCAL_BYTES = 10 * 1024 ** 3;

/** Milliseconds between two looks at Go's local files, each of which reads the whole folder. */
export const GO_TRIM_MS = 24 * 60 * 60 * 1000;

/**
 * Milliseconds without a sign of life of the server after which a go build goes on without it. It
 * is waited for so long twice, then no more: an outage costs a build less than 2 s in all.
 */
export const GO_WAIT_MS = 900;

/** Milliseconds after which one output is given up, whatever still comes; building it is quicker. */
export const GO_FETCH_MS = 10_000;

/** Bytes a second below which a large output is given up: building it is quicker. */
export const GO_SLOWEST_BYTES = 512 * 1024;

/** Milliseconds between two looks whether a server that did not answer is back. */
export const GO_PROBE_MS = 3_000;

/** Milliseconds that the end of a go command waits for uploads. */
export const GO_CLOSE_MS = 20_000;

/** Uploads of small outputs at a time, uploads of large ones, and the bytes that make one large. */
export const GO_SMALL_UPLOADS = 8;
export const GO_LARGE_UPLOADS = 2;
export const GO_LARGE_BYTES = 256 * 1024;

/** Wrong bodies after which the server is left alone for the rest of a build. */
export const GO_MAX_DAMAGED = 10;

/** Bytes below which a secret's value is not searched for in output: it would be found everywhere. */
export const MIN_SECRET_BYTES = 8;

/**
 * Bytes of standard output and error together that `exec` keeps of a command, in memory. Above it
 * the command goes on and nothing is stored: who prints that much writes a file.
 */
export const MAX_EXEC_PRINTED_BYTES = 16 * 1024 * 1024;

/** Interpreters of scripts that are themselves scripts, as deep as Linux follows them. */
export const MAX_INTERPRETERS = 5;

/** Facts about inputs that an entry carries, so that a miss can be explained. */
export const MAX_EXEC_FACTS = 256;

/** Milliseconds: two changes of a file that are closer may have the same time on it (kernels step by 1 to 4). */
export const FILE_TIME_MS = 10;

/** Milliseconds that `exec` reads on after its command ended, for what a daemon of it still holds. */
export const EXEC_PIPE_GRACE_MS = 1_000;

/** Milliseconds that a run waits for a program that an earlier, killed one left at work on its outputs. */
export const EXEC_STRAY_MS = 10_000;

/** Bytes of inputs and programs of one run from which on their digests are noted for the next time. */
export const EXEC_REMEMBER_BYTES = 1024 * 1024;

/**
 * Milliseconds that `with` lets a build wait for the head of an answer, for the next bytes of a
 * body, and once in all on top of what a body may take: what an outage costs. As `TOLERANT_ANSWER_MS`.
 */
export const RELAY_WAIT_MS = 2_000;

/**
 * Milliseconds that it lets a build wait for the answer to a large upload, of which the last
 * megabytes are still in buffers on the way when the whole of it has been sent.
 */
export const RELAY_UPLOAD_WAIT_MS = 4_000;

/**
 * Milliseconds for which `with` leaves a cache alone that was down, before it looks whether it is
 * back; doubled with each outage up to the second number, so that one which comes and goes costs less
 * and less.
 */
export const RELAY_REST_MS = 10_000;
export const RELAY_LONGEST_REST_MS = 300_000;
