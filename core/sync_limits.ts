/** Named limits of the connection between two peers: value, unit, and why it is that number. */

/** Bytes of one Noise message, tag included, and so of one frame: what the specification allows. */
export const MAX_FRAME_BYTES = 65_535;

/** Messages one way after which that way's key is renewed: far below what AES-GCM bears. */
export const REKEY_MESSAGES = 2 ** 20;

/** Milliseconds after which a key is renewed with the next message: a stolen one opens an hour. */
export const REKEY_MS = 3_600_000;

/** Bytes that may lie unread before a handshake has ended: one frame of the largest size. */
export const HANDSHAKE_BYTES = 64 * 1024;

/**
 * Bytes that may lie unread from the moment on when what ends the handshake has arrived and is being
 * opened, a millisecond or two: what a peer may send without credits, with room to spare.
 */
export const UNCONFIRMED_BYTES = 4 * 1024 * 1024;

/** Milliseconds from the first byte to the end of a handshake: ten round trips around the earth. */
export const HANDSHAKE_MS = 5_000;

/** Bytes of message 1: as base64url it must fit beside others into the 8 KiB that proxies take. */
export const MAX_FIRST_MESSAGE_BYTES = 4096;

/** Capabilities that one side may offer, and characters of one. */
export const MAX_CAPABILITIES = 32;
export const MAX_CAPABILITY_CHARACTERS = 32;

/** Bytes of one message of a session: the largest foreign chunk (2 MiB) and words about it. */
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024 + 64 * 1024;

/** Lanes of a session, each with its own order; what is in a lower one goes first. */
export const LANES = 5;

/**
 * Fragments that are sealed before the one in front is sent, and frames that are opened before the
 * one in front is read: two processors are busy with four, and what is urgent waits behind no more.
 */
export const FRAMES_AHEAD = 4;

/**
 * Bytes of frames that a session lets lie unread. Credits keep the peer below 32 MiB; who sends
 * more does not keep to them.
 */
export const MAX_UNREAD_BYTES = 40 * 1024 * 1024;

/** Bytes that a WebSocket may hold for sending; above it a sender waits. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;

/** Milliseconds between two looks at whether a WebSocket has room, at first and at most. */
export const ROOM_POLL_MS = 1;
export const ROOM_POLL_MAX_MS = 16;

/** Milliseconds of silence after which an empty frame is sent: proxies cut after 30 to 60 s. */
export const HEARTBEAT_MS = 15_000;

/** Milliseconds without a frame after which the peer is taken for gone: two heartbeats were lost. */
export const PEER_SILENT_MS = 45_000;

/** Milliseconds that opening a WebSocket may take, TCP and TLS included. */
export const OPEN_MS = 10_000;

/** Milliseconds that a close waits for the other side's answer. */
export const CLOSE_MS = 1_000;

/** Bytes of a blob that is sent without a question: to ask would take as long as to send it. */
export const SMALL_BLOB_BYTES = 16 * 1024;

/** Bytes of small blobs in one PACK before compression: what zstd finds in common lies nearby. */
export const PACK_RAW_BYTES = 1024 * 1024;

/** Blobs of one PACK: their lengths have room in front of it. */
export const PACK_BLOBS = 16_384;

/** Bytes of one chunk on the wire: the largest foreign one, as the Remote Execution API cuts. */
export const MAX_WIRE_CHUNK_BYTES = 2 * 1024 * 1024;

/** Records of one RECORDS message, and bytes of them after which it is sent. */
export const BATCH_RECORDS = 4096;
export const BATCH_BYTES = 512 * 1024;

/** Batches that one side brings at once: one is stored, one travels, one is read, one waits. */
export const OPEN_BATCHES = 4;

/** Comparisons that one side may have open: more namespaces than that take turns. */
export const OPEN_COMPARISONS = 64;

/** Bytes of each class that may be sent before the first CREDIT. */
export const FIRST_CREDIT_BYTES = 1024 * 1024;

/** Bytes of all classes together that may be on the way: 1 GB/s over 32 ms. */
export const MAX_CREDIT_BYTES = 32 * 1024 * 1024;

/** Bytes of recipes that wait for their chunks: those of blobs of 400 GB. */
export const HELD_RECIPE_BYTES = 64 * 1024 * 1024;

/** Milliseconds between two PINGs, and those after which one without PONG ends the session. */
export const PING_MS = 15_000;
export const PONG_MS = 45_000;

/** Milliseconds for the other side's HELLO: the transport is open already. */
export const HELLO_MS = 5_000;

/** Bytes of the largest record that is sent: one message, with a few words about it. */
export const MAX_WIRE_RECORD_BYTES = 2 * 1024 * 1024;

/** Bytes of control messages that may wait for a peer who does not read: more is a stuck peer. */
export const WAITING_CONTROL_BYTES = 16 * 1024 * 1024;
