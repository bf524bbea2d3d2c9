/** What docs/protocol.md says of answers that come before the body was read, over a real port. */
import assert from "node:assert/strict";
import { ILL, startIllServer } from "../../test/helpers/ill_server.ts";

/** More than all buffers between the two ends hold. */
const BODY_BYTES = 16 * 1024 * 1024;

Deno.test("who sends all of a body first and listens then has his answer, though nobody wanted it", async () => {
  const cases = [
    ["/rush/k", ILL["a token that has expired"], 200],
    ["/nx/v1/cache/1", ILL["a token that was revoked"], 403],
    ["/nx/v1/cache/1", ILL["a limit that is too small"], 403],
    ["/gradle/" + "a".repeat(32), ILL["a limit that is too small"], 413],
  ] as const;
  for (const [target, illness, status] of cases) {
    assert.ok(illness);
    await using server = startIllServer(illness);
    const { hostname, port } = new URL(server.url);
    using connection = await Deno.connect({ hostname, port: Number(port) });
    const head = `PUT ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n` +
      `authorization: Bearer ${server.token}\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`;
    await writeAll(connection, new TextEncoder().encode(head));
    // A connection that is reset would make this throw, or lose the answer behind it.
    const part = new Uint8Array(1024 * 1024);
    for (let sent = 0; sent < BODY_BYTES; sent += part.length) await writeAll(connection, part);
    const buffer = new Uint8Array(4096);
    const count = await connection.read(buffer);
    const text = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), target);
  }
});

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
