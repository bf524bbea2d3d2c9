/** A client that sends what it is told and reads whatever comes. */

/** An answer, or why there is none. */
export type FuzzAnswer =
  | { readonly status: number; readonly body: Uint8Array; readonly closed: boolean }
  | "closed"
  | "silent"
  | "garbage";

/** One connection. Never throws for what the other side does. */
export class FuzzConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  #bytes = new Uint8Array(0);
  #ended = false;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<FuzzConnection> {
    return new FuzzConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Sends these bytes, as far as the other side takes them. */
  async send(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
    } catch (thrown) {
      if (!isGone(thrown)) throw thrown;
    }
  }

  /** Reads one answer to a request of this method, for at most `ms`. */
  async answer(method: string, ms: number): Promise<FuzzAnswer> {
    const deadline = performance.now() + ms;
    let head: string | undefined;
    while ((head = this.#head()) === undefined) {
      if (!await this.#more(deadline)) {
        return this.#ended ? this.#bytes.length ? "garbage" : "closed" : "silent";
      }
    }
    const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |\r)/.exec(head)?.[1] ?? NaN);
    if (Number.isNaN(status)) return "garbage";
    if (status < 200) return await this.answer(method, deadline - performance.now());
    const body = await this.#body(head, method, status, deadline);
    if (typeof body === "string") return body;
    return { status, body, closed: this.#ended || /\r\nconnection: close/i.test(head) };
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch (thrown) {
      if (!isGone(thrown)) throw thrown;
    }
  }

  #head(): string | undefined {
    const text = new TextDecoder("latin1").decode(this.#bytes.subarray(0, 65_536));
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    this.#bytes = this.#bytes.slice(end + 4);
    return text.slice(0, end + 2);
  }

  async #body(
    head: string,
    method: string,
    status: number,
    deadline: number,
  ): Promise<Uint8Array | "closed" | "silent" | "garbage"> {
    if (method === "HEAD" || status === 204 || status === 304) return new Uint8Array(0);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length !== undefined) return await this.#take(Number(length), deadline);
    if (!/\r\ntransfer-encoding: chunked/i.test(head)) {
      while (await this.#more(deadline));
      return this.#ended ? this.#bytes : "silent";
    }
    const parts: Uint8Array[] = [];
    while (true) {
      let end: number;
      while ((end = this.#lineEnd()) < 0) {
        if (!await this.#more(deadline)) return this.#ended ? "closed" : "silent";
      }
      const size = parseInt(new TextDecoder().decode(this.#bytes.subarray(0, end)), 16);
      if (!(size >= 0)) return "garbage";
      this.#bytes = this.#bytes.slice(end + 2);
      const part = await this.#take(size + 2, deadline);
      if (typeof part === "string") return part;
      if (size === 0) return joined(parts);
      parts.push(part.subarray(0, size));
    }
  }

  #lineEnd(): number {
    for (let at = 0; at + 1 < this.#bytes.length; at++) {
      if (this.#bytes[at] === 13 && this.#bytes[at + 1] === 10) return at;
    }
    return -1;
  }

  async #take(count: number, deadline: number): Promise<Uint8Array | "closed" | "silent"> {
    while (this.#bytes.length < count) {
      if (!await this.#more(deadline)) return this.#ended ? "closed" : "silent";
    }
    const taken = this.#bytes.slice(0, count);
    this.#bytes = this.#bytes.slice(count);
    return taken;
  }

  /** Reads some bytes; `false` at the end, or when the time is up (then it is closed). */
  async #more(deadline: number): Promise<boolean> {
    const ms = deadline - performance.now();
    if (this.#ended || ms <= 0) return false;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this[Symbol.dispose]();
    }, ms);
    const buffer = new Uint8Array(16_384);
    const count = await this.#connection.read(buffer).catch((thrown) => {
      if (isGone(thrown)) return null;
      throw thrown;
    });
    clearTimeout(timer);
    if (late) return false;
    this.#ended = count === null;
    if (count !== null) this.#bytes = joined([this.#bytes, buffer.subarray(0, count)]);
    return count !== null;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function isGone(thrown: unknown): boolean {
  const { errors } = Deno;
  return [errors.ConnectionReset, errors.BadResource, errors.Interrupted, errors.BrokenPipe]
    .some((kind) => thrown instanceof kind);
}
