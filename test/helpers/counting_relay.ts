/** A port that leads to another one and counts what passes, both ways. */

/** A relay. Disposing it ends its connections. */
export interface CountingRelay extends AsyncDisposable {
  readonly url: string;
  /** Bytes from clients to the server so far, and back. */
  readonly sent: number;
  readonly received: number;
}

/** Opens a relay to an `http://` address of this machine. */
export function countingRelay(target: string): CountingRelay {
  const { hostname, port } = new URL(target);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const counts = { sent: 0, received: 0 };
  const running: Promise<void>[] = [];
  const pass = async (from: Deno.Conn, to: Deno.Conn, count: "sent" | "received") => {
    const buffer = new Uint8Array(256 * 1024);
    try {
      for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
        counts[count] += n;
        for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
      }
      await to.closeWrite();
    } catch {
      // One side is gone: so is the connection, and both loops end.
      close(from);
      close(to);
    }
  };
  const close = (connection: Deno.Conn) => {
    if (open.delete(connection)) connection.close();
  };
  const accepting = (async () => {
    for await (const client of listener) {
      open.add(client);
      const server = await Deno.connect({ hostname, port: Number(port) });
      open.add(server);
      const both = Promise.all([pass(client, server, "sent"), pass(server, client, "received")]);
      running.push(both.then(() => [client, server].forEach(close)));
    }
  })();
  return {
    url: `http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    get sent() {
      return counts.sent;
    },
    get received() {
      return counts.received;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of [...open]) close(connection);
      await accepting;
      await Promise.all(running);
    },
  };
}
