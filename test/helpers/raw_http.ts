/** HTTP by hand: what a well-behaved client cannot send. */

/** An answer read from a socket. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/** Sends `text` as it is, reads until the server closes or `ms` passed; `undefined` for nothing. */
export async function sendRaw(
  url: string,
  text: string | Uint8Array,
  options: { ms?: number; halfClose?: boolean } = {},
): Promise<RawAnswer | undefined> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  await writeWhileWanted(connection, bytes);
  if (options.halfClose) await connection.closeWrite();
  const read = await readUntilQuiet(connection, options.ms ?? 2000);
  const [head, ...rest] = read.split("\r\n\r\n");
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head!)?.[1] ?? NaN);
  return Number.isNaN(status) ? undefined : { status, head: head!, body: rest.join("\r\n\r\n") };
}

/** Writes all of it, or what the server takes: it may refuse and hang up in the middle. */
async function writeWhileWanted(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  } catch (thrown) {
    if (!isGone(thrown)) throw thrown; // what it answered before is still read
  }
}

async function readUntilQuiet(connection: Deno.TcpConn, ms: number): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (true) {
    const timeout = Promise.withResolvers<"quiet">();
    const timer = setTimeout(() => timeout.resolve("quiet"), ms);
    const reading = connection.read(buffer).catch((thrown) => {
      // The peer reset the connection, or we close it below while the read waits.
      if (isGone(thrown)) return null;
      throw thrown;
    });
    const count = await Promise.race([reading, timeout.promise]);
    clearTimeout(timer);
    if (count === "quiet") {
      connection.close();
      await reading;
      return text;
    }
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
    if (isWhole(text)) return text;
  }
}

function isGone(thrown: unknown): boolean {
  const { errors } = Deno;
  return [errors.ConnectionReset, errors.BadResource, errors.Interrupted, errors.BrokenPipe]
    .some((kind) => thrown instanceof kind);
}

function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  return end >= 0 && length !== undefined && text.length >= end + 4 + Number(length);
}
