/** One HTTP/1.1 connection by hand, for clients that are slow, rude or many. */

/** An answer whose body was read. */
export interface WireAnswer {
  readonly status: number;
  /** The head as it came, in lower case. */
  readonly head: string;
  /** Empty unless it was asked for. */
  readonly body: Uint8Array;
}

/** The server closed the connection where an answer was due. */
export class Hangup extends Error {
  override readonly name = "Hangup";
}

/** What a question is made of. */
export interface WireQuestion {
  readonly method: string;
  readonly target: string;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes that `Content-Length` promises; `undefined` for no body. */
  readonly length?: number | undefined;
}

const READ_BYTES = 64 * 1024;
const latin = new TextDecoder("latin1");
const utf8 = new TextEncoder();

/** A connection that says just what it is told to. Disposing it closes it, whatever is under way. */
export class Wire implements Disposable {
  readonly #socket: Deno.TcpConn;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #start = 0;
  #end = 0;
  #closed = false;

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects to this machine. @throws {Hangup} where nobody listens */
  static async to(port: number): Promise<Wire> {
    try {
      const socket = await Deno.connect({ hostname: "127.0.0.1", port });
      socket.setNoDelay(true);
      return new Wire(socket);
    } catch (thrown) {
      throw hangup(thrown);
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Sends the head of a request. */
  async ask(question: WireQuestion): Promise<void> {
    await this.write(utf8.encode(headOf(question)));
  }

  /** Sends a request with its whole body in as few packets as the kernel likes. */
  async send(question: WireQuestion, body: Uint8Array): Promise<void> {
    const head = utf8.encode(headOf({ ...question, length: body.length }));
    if (body.length > READ_BYTES) {
      await this.write(head);
      return await this.write(body);
    }
    const all = new Uint8Array(head.length + body.length);
    all.set(head);
    all.set(body, head.length);
    await this.write(all);
  }

  /** Sends all of these bytes. @throws {Hangup} when the server has closed */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
    } catch (thrown) {
      throw hangup(thrown);
    }
  }

  /**
   * Reads an answer and its body, which `onPart` may look at; kept only where `keep` is set.
   * @throws {Hangup} when the server closes before its end
   */
  async answer(options: AnswerOptions = {}): Promise<WireAnswer> {
    const head = await this.#head();
    const status = Number(head.slice(9, 12));
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    if (head.includes("\r\ntransfer-encoding: chunked")) {
      throw new Error(`an answer without a length:\n${head}`);
    }
    const body = new Uint8Array(options.keep ? length : 0);
    const bodyless = options.method === "HEAD" || status === 204 || status === 304;
    for (let left = bodyless ? 0 : length; left > 0;) {
      if (this.#start === this.#end) await this.#fill();
      const part = this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + left));
      if (options.keep) body.set(part, length - left);
      left -= part.length;
      this.#start += part.length;
      await options.onPart?.(part, length - left);
    }
    return { status, head, body };
  }

  /** Waits until the server closes or sends something; tells which. */
  async ended(): Promise<boolean> {
    try {
      await this.#fill();
      return false;
    } catch (thrown) {
      if (thrown instanceof Hangup) return true;
      throw thrown;
    }
  }

  async #head(): Promise<string> {
    let text = "";
    for (;;) {
      if (this.#start === this.#end) await this.#fill();
      const before = text.length;
      text += latin.decode(this.#buffer.subarray(this.#start, this.#end));
      const end = text.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.#start += end + 4 - before;
        return text.slice(0, end).toLowerCase();
      }
      this.#start = this.#end;
    }
  }

  async #fill(): Promise<void> {
    let count: number | null;
    try {
      count = await this.#socket.read(this.#buffer);
    } catch (thrown) {
      throw hangup(thrown);
    }
    if (count === null) throw new Hangup("the server closed the connection");
    this.#start = 0;
    this.#end = count;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

/** {@linkcode Wire.answer}'s options. */
export interface AnswerOptions {
  /** The method of the question: a HEAD is answered without its body. */
  readonly method?: string;
  readonly keep?: boolean;
  /** Sees each part and how many bytes came with it; may make the reader wait. */
  onPart?(part: Uint8Array, received: number): void | Promise<void>;
}

function headOf({ method, target, token, headers, length }: WireQuestion): string {
  let head = `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
  if (token !== undefined) head += `Authorization: Bearer ${token}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  if (length !== undefined) head += `Content-Length: ${length}\r\n`;
  return `${head}\r\n`;
}

function hangup(thrown: unknown): unknown {
  const { errors } = Deno;
  const gone = [
    errors.BadResource,
    errors.BrokenPipe,
    errors.ConnectionRefused,
    errors.ConnectionReset,
    errors.Interrupted,
    errors.NotConnected,
  ].some((kind) => thrown instanceof kind);
  return gone ? new Hangup("the server closed the connection", { cause: thrown }) : thrown;
}
