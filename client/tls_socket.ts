/**
 * TLS as `fetch` speaks it, for `node:https`. That one has certificates of its own: it does not know
 * those of `DENO_CERT` and `--cert`, and would refuse a server that every other request trusts.
 */
import https from "node:https";
import { Duplex } from "node:stream";
import type { Bytes } from "../core/digest.ts";
import { READ_SLICE_BYTES } from "../core/limits.ts";

/** Makes a new connection for every request, to servers that the runtime itself trusts. */
export class RuntimeTlsAgent extends https.Agent {
  readonly #connections = new Set<TlsSocket>();
  #closed = false;

  constructor() {
    super({ keepAlive: false });
  }

  override createConnection(
    options: https.RequestOptions,
    done?: (error: Error | null, stream: Duplex) => void,
  ): Duplex {
    void this.#connect(options).then(
      (socket) => done?.(null, socket),
      (thrown) => (done as (error: unknown) => void)?.(thrown),
    );
    // Node takes nothing for "later, by `done`", which its types do not know.
    return undefined as unknown as Duplex;
  }

  /** Closes all connections, those that are being made too. */
  override destroy(): void {
    this.#closed = true;
    for (const socket of this.#connections) socket.destroy();
    super.destroy();
  }

  async #connect({ host, port }: https.RequestOptions): Promise<TlsSocket> {
    const hostname = (host ?? "localhost").replace(/^\[(.*)\]$/, "$1");
    const connection = await Deno.connectTls({ hostname, port: Number(port ?? 443) });
    const socket = new TlsSocket(connection);
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    if (this.#closed) socket.destroy();
    return socket;
  }
}

/** A connection of the runtime as a stream of Node. */
class TlsSocket extends Duplex {
  readonly #connection: Deno.TlsConn;

  constructor(connection: Deno.TlsConn) {
    super({ allowHalfOpen: true });
    this.#connection = connection;
  }
  override _read(): void {
    const buffer = new Uint8Array(READ_SLICE_BYTES / 4);
    this.#connection.read(buffer).then(
      (count) => this.push(count === null ? null : buffer.subarray(0, count)),
      (thrown) => this.destroy(thrown),
    );
  }
  override _write(part: Bytes, _encoding: string, done: (error?: Error) => void): void {
    this.#writeAll(part).then(() => done(), done);
  }
  override _final(done: (error?: Error) => void): void {
    this.#connection.closeWrite().then(() => done(), done);
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#connection.close();
    done(error);
  }
  // What `node:http` asks of a socket; our own watch and the runtime see to all of it.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  async #writeAll(part: Bytes): Promise<void> {
    for (let from = 0; from < part.length;) {
      from += await this.#connection.write(part.subarray(from));
    }
  }
}
