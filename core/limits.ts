/** Named limits: value, unit, and why it is that number. Those of builds are in `build_limits.ts`. */
// size: one list of all limits, each with its unit and its reason

/** Bytes. A blob up to here is one chunk; it is also the largest chunk of the default chunker. */
export const MAX_CHUNK_BYTES = 256 * 1024;

/** Bytes. The longest body of one record: the largest foreign chunk (2 MiB) with room to grow. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** Bytes. What is at most this large may travel as one `Uint8Array` instead of a stream. */
export const SMALL_BODY_BYTES = 1024 * 1024;

/** Bytes. The default of `--max-blob-size`. */
export const MAX_BLOB_BYTES = 10 * 1024 * 1024 * 1024;

/** Milliseconds of acknowledged writes that `--durability relaxed` may lose with the power. */
export const RELAXED_SYNC_MS = 1000;

/** Milliseconds that rows of acknowledged writes may wait for their transaction to be committed. */
export const OPEN_ROWS_MS = 500;

/** Bytes that are free on a disk whose tables may wait: more than is written in a second. */
export const OPEN_ROWS_FREE_BYTES = 1024 * 1024 * 1024;

/** Bytes of a raw request path; longer is refused before it is looked at. */
export const MAX_PATH_BYTES = 8 * 1024;

/** UTF-8 bytes of one entry key. */
export const MAX_KEY_BYTES = 1024;

/** Bytes of one JSON request body: 100,000 digests fit. */
export const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** Bytes of a configuration file: a hundred times a long one, and little to read by mistake. */
export const MAX_CONFIG_BYTES = 64 * 1024;

/** Folders that are looked through upwards for a configuration: deeper paths are a loop. */
export const MAX_FOLDER_DEPTH = 256;

/** Bytes of one probe of the way to a server: above the usual limits of proxies, 1 to 25 MiB. */
export const MAX_PROBE_BYTES = 64 * 1024 * 1024;

/** Digests in one "which are missing" call. */
export const MAX_BATCH_DIGESTS = 100_000;

/** Blobs one entry may name: a Bazel tree artifact can hold tens of thousands of files. */
export const MAX_ENTRY_BLOBS = 200_000;

/** Bytes. An ActionResult or Tree above this is stored but not parsed. */
export const MAX_ACTION_RESULT_BYTES = 16 * 1024 * 1024;

/** Bytes of one header that a tool wants back word for word: a signature of 4096 bits fits. */
export const MAX_TOOL_HEADER_BYTES = 1024;

/** Artifacts in one question of Turborepo, each of which is looked up. */
export const MAX_ARTIFACT_QUERY = 10_000;

/** Tags of one entry, and UTF-8 bytes of one tag. */
export const MAX_TAGS = 64;
export const MAX_TAG_BYTES = 256;

/** Characters of a token; ours have 108, a brought one may be longer. */
export const MAX_TOKEN_CHARACTERS = 4096;

/** Characters below which a brought token is refused: 128 bits even if only hex. */
export const MIN_BROUGHT_TOKEN_CHARACTERS = 32;

/** Bytes of unacknowledged records one upload may have on the way to the writer. */
export const UPLOAD_WINDOW_BYTES = 4 * 1024 * 1024;

/** Bytes of the records of one commit up to which it shares a message: a blob of one chunk. */
export const PACKED_COMMIT_BYTES = MAX_CHUNK_BYTES + 1024;

/** Bytes of a body in a shared message up to which a copy is cheaper than a transfer of its own. */
export const PACKED_BODY_BYTES = 16 * 1024;

/** Bytes of records in one message of small commits: what is freed only when all are written. */
export const PACKED_MESSAGE_BYTES = 1024 * 1024;

/** Bytes of request bodies that all threads together may hold before a new upload waits. */
export const MAX_BYTES_IN_FLIGHT = 128 * 1024 * 1024;

/**
 * Milliseconds an upload waits for room in flight before it is sent away to try again: below the
 * 60 s after which Bazel gives up, long enough for large uploads in front over a slow line.
 */
export const ADMISSION_WAIT_MS = 20_000;

/** Bytes. An answer up to here is handed to the runtime whole, and neither counted nor watched. */
export const WHOLE_ANSWER_BYTES = 64 * 1024;

/**
 * Bytes of larger answers that all threads together may hold for clients to read; what comes then
 * is sent away to try again. A thousand downloads fit.
 */
export const MAX_ANSWER_BYTES = 512 * 1024 * 1024;

/**
 * Bytes that a download counts for: so much memory does one take whose client stands still, most of
 * it in the runtime, which has three or four parts under way.
 */
export const DOWNLOAD_HELD_BYTES = 512 * 1024;

/**
 * Bytes that all downloads together hold in blocks, two each (one is being sent, one waits), while
 * there are few enough of them; above, blocks are smaller.
 */
export const READ_AHEAD_BYTES = 64 * 1024 * 1024;

/** Bytes of a process in memory below which nothing is given back: a server at rest has less. */
export const SPARE_FROM_BYTES = 200 * 1024 * 1024;

/**
 * Bytes that must have come on top since then: to give memory back and to take it again costs some
 * 20 ms of the processor for as many.
 */
export const SPARE_STEP_BYTES = 64 * 1024 * 1024;

/** Milliseconds between two looks at it. */
export const SPARE_LOOK_MS = 2_000;

/**
 * Looks after which less is enough, and how many bytes: what a start leaves behind is given back soon
 * after it, also by a small server, and a busy one spends a five-hundredth of its time on it at most.
 */
export const SPARE_REST_LOOKS = 5;
export const SPARE_REST_BYTES = 16 * 1024 * 1024;

/** Bytes of zstd window that a body may ask for unless its frame states its size. */
export const MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024;

/** Bytes of one view into which a body without a length is read: see `server/block_reader.ts`. */
export const BODY_VIEW_BYTES = 8 * 1024;

/** Bytes of a body with a length from which it is read into its one piece; less comes as one part. */
export const EXACT_BODY_BYTES = 16 * 1024;

/** Bytes in which a body without a length is handed on. */
export const BODY_BLOCK_BYTES = 64 * 1024;

/** Milliseconds without one byte after which a request body is given up. */
export const BODY_IDLE_MS = 30_000;

/** Milliseconds a client may take to read nothing of an answer. */
export const RESPONSE_STALL_MS = 60_000;

/** Milliseconds a connection may live without having sent one whole request header. */
export const HEADER_TIMEOUT_MS = 15_000;

/** Hours and days of usage that are kept, of those in which something happened. */
export const USAGE_HOURS = 14 * 24;
export const USAGE_DAYS = 400;

/** Tools and namespaces of one hour that are counted apart; all further ones share one line. */
export const USAGE_GROUPS_PER_HOUR = 2000;

/** Milliseconds between two writes of usage: what a crash may lose of it. */
export const USAGE_FLUSH_MS = 5000;

/** Bytes of all files of the audit together: about a million changes; the oldest file goes first. */
export const AUDIT_TOTAL_BYTES = 256 * 1024 * 1024;

/** Bytes at which a file of the audit is full; a start reads one such file. */
export const AUDIT_FILE_BYTES = 8 * 1024 * 1024;

/** Changes of tokens that `auth.sqlite` keeps; the oldest go first. */
export const AUDIT_TOKEN_ROWS = 100_000;

/** Milliseconds that a graceful stop waits for what is in flight. */
export const STOP_GRACE_MS = 10_000;

/** Verified tokens one thread remembers; above it the memory is emptied and fills again. */
export const TOKEN_CACHE_ENTRIES = 10_000;

/** Milliseconds before a token's end from which on it is told: two weeks leave time to renew it. */
export const TOKEN_SOON_MS = 14 * 86_400_000;

/** Milliseconds: how exact "last used" of a token is; the price is one small write each time. */
export const TOKEN_TOUCH_MS = 600_000;

/** Digests of one "which are missing" question of the client: an answer is below 1 MiB. */
export const CLIENT_BATCH_DIGESTS = 10_000;

/** Milliseconds the client waits for the head of an answer, and for the next byte of a body. */
export const CLIENT_IDLE_MS = 30_000;

/** Tries the client makes in all, the first included. */
export const CLIENT_ATTEMPTS = 3;

/** Bytes. An object up to here is answered as one array: below it a stream costs more than it saves. */
export const INLINE_OBJECT_BYTES = 64 * 1024;

/** Bytes that one read of an object's stream asks the medium for; measured best from disk to socket. */
export const READ_SLICE_BYTES = 256 * 1024;

/**
 * Bytes of a long blob that are read, checked and handed on together: large enough that a step
 * costs little beside its bytes, small enough to stay in the processor's cache from disk to socket.
 */
export const READ_BLOCK_BYTES = 256 * 1024;

/** The same where `READ_AHEAD_BYTES` would not do for all downloads: about one chunk. */
export const CROWDED_READ_BLOCK_BYTES = 64 * 1024;

/**
 * Blocks of long blobs that one thread reads before it looks for other work: about 5 ms. Below it a
 * dozen downloads would wait for one another though nobody else is there.
 */
export const READS_PER_TURN = 16;

/** Blocks that the begin of a long blob counts for: its recipe, 128 look-ups and the first block. */
export const BEGIN_READS = 6;

/** Bytes of blocks that one thread keeps for other readers of the same blob, a bit behind. */
export const READ_BLOCKS_BYTES = 32 * 1024 * 1024;

/** Milliseconds after which a half-written file of a folder is nobody's any more: its writer died. */
export const STALE_TEMP_MS = 24 * 60 * 60 * 1000;

/** Calls to the file system that one `stat`, `delete` or `list` has under way at once. */
export const FS_PARALLEL_CALLS = 32;

/** Tries that the retry layer of an object store makes in all, the first included. */
export const STORE_ATTEMPTS = 5;

/** Milliseconds before the first new try; doubled for each further one, up to the second number. */
export const STORE_RETRY_BASE_MS = 100;
export const STORE_RETRY_MAX_MS = 10_000;

/** Milliseconds an object must have stood unchanged before a cut stream is resumed: clocks differ. */
export const RESUME_SKEW_MS = 60_000;

/** Milliseconds without one byte of progress after which a call of a medium is given up. */
export const STORE_IDLE_MS = 30_000;

/** Connections that a process keeps open to its port; also never more than 70 % of descriptors. */
export const MAX_CONNECTIONS = 8192;

/** Connections from one address: a proxy or an office may stand behind it, so a generous part. */
export const MAX_CONNECTIONS_PER_ADDRESS = 4096;

/**
 * Bytes that the runtime may keep for each connection as long as it lives, whatever we do: the
 * buffer that its bodies were read with, 390 KB as measured. See decision 24.
 */
export const CONNECTION_BUFFER_BYTES = 400 * 1024;

/** Milliseconds that a connection may stand idle between two requests. */
export const KEEP_ALIVE_IDLE_MS = 600_000;

/** Milliseconds between two looks at the connections; a header is late by at most this much more. */
export const CONNECTION_SWEEP_MS = 2_000;

/** Milliseconds between two looks at the certificate files. */
export const CERTIFICATE_POLL_MS = 5_000;

/** Bytes of the largest body that a serving thread keeps in memory, with the entry that names it. */
export const HOT_BODY_BYTES = 64 * 1024;

/** Bytes of bodies that one serving thread keeps in memory. */
export const HOT_BODIES_BYTES = 16 * 1024 * 1024;

/** Bytes of bodies of whole answers that one serving thread keeps: copies of the bodies above. */
export const HOT_ANSWERS_BYTES = 16 * 1024 * 1024;

/** Whole answers that one serving thread keeps for GET, and as many for HEAD; a kilobyte each. */
export const HOT_ANSWERS = 4096;

/** Milliseconds after which what is kept in memory is read again: so exact is a time of last use. */
export const HOT_FOR_MS = 30_000;

/**
 * Milliseconds after which a use of what is kept in memory is passed on again: a store that is
 * written anew in ten seconds must know by then what is read all along.
 */
export const HOT_NOTE_MS = 1000;

/** Entries of one tree: files, folders and links; a `node_modules` of a large project has 100,000. */
export const MAX_TREE_ENTRIES = 200_000;

/** Bytes of one tree's manifest: `MAX_TREE_ENTRIES` with paths of 100 bytes and their digests. */
export const MAX_TREE_MANIFEST_BYTES = 32 * 1024 * 1024;

/** Bytes of all files of one tree, each place counted: one blob may stand in a thousand places. */
export const MAX_TREE_BYTES = 100 * 1024 * 1024 * 1024;

/** Folders in one another in a tree: a file may stand below 127 of them. */
export const MAX_TREE_DEPTH = 128;

/** UTF-8 bytes of one path in a tree, of one name in it, of a link's target: what Linux takes. */
export const MAX_TREE_PATH_BYTES = 4096 - 1;
export const MAX_TREE_NAME_BYTES = 255;

/**
 * Bytes of many small blobs in one request or answer, with their heads: as much as one upload may
 * hold in the server's memory.
 */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/** Small blobs in one request or answer: the rows of one transaction. */
export const MAX_BATCH_BLOBS = 4096;

/** Times that a file is read again which changes while it is saved. */
export const TREE_READ_ATTEMPTS = 3;

/** Bytes per second that the scrub reads: a disk notices nothing, and 1 TB is read in 36 hours. */
export const SCRUB_BYTES_PER_SECOND = 8 * 1024 * 1024;

/** Milliseconds from the begin of one scrub to that of the next: once a week. */
export const SCRUB_EVERY_MS = 7 * 86_400_000;

/** Milliseconds before the scrub goes on after a medium did not answer. */
export const SCRUB_RETRY_MS = 60_000;

/** Times that the scrub lets traffic go first before it reads one more step of 1 MiB. */
export const SCRUB_YIELDS = 50;

/** Bytes of one message of a reconciliation: a frame of a session with room for its head and tag. */
export const RECONCILE_MESSAGE_BYTES = 60 * 1024;

/**
 * Items of a summary's node up to which their tags are sent instead of the digests below it. Above
 * 24 digests are cheaper, but cost a trip more: with 40 a million items never need one.
 */
export const RECONCILE_LEAF_ITEMS = 40;

/** Items of the largest summary that is compared. */
export const RECONCILE_MAX_ITEMS = 1_000_000_000;

/**
 * Messages that a peer may send for one comparison, and how many items of both sides allow for one
 * more: each message brings it on, so a peer that needs more of them splits them on purpose.
 */
export const RECONCILE_SPARE_MESSAGES = 1024;
export const RECONCILE_ITEMS_PER_MESSAGE = 16;

/** Messages of a tag list that are on the way; each holds 12,000 tags or less. */
export const RECONCILE_LIST_WINDOW = 32;

/**
 * Entries, and as many blobs, that are looked at to make room in one namespace: all of a small one,
 * of a large one so many that the least valuable of them are among its least valuable.
 */
export const QUOTA_SAMPLE = 4096;

/** The share of a quota that is freed beyond what is needed: else every write would have to. */
export const QUOTA_AHEAD_SHARE = 1 / 32;

/** The share of `--max-size` that pinned entries may take: nothing of it can make room. */
export const PINNED_SHARE = 1 / 2;

/** Entries of one request that pins or unpins. */
export const MAX_PIN_KEYS = 1000;

/** Shares of scopes in one namespace: each entry that is written is held against all of them. */
export const MAX_SCOPE_QUOTAS = 100;
