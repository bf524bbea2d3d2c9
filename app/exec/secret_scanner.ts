/** Looks for secrets in bytes that pass in parts: what holds one is not stored. */
import { Buffer } from "node:buffer";
import { MIN_SECRET_BYTES } from "../../core/build_limits.ts";
import type { Secret } from "../../core/secret.ts";

/** Our tokens by their shape, whoever made them: see `core/token.ts`. */
const TOKEN = /vrc_[0-9a-f]{16}_[A-Za-z0-9_-]{43}_[A-Za-z0-9_-]{43}/;
const TOKEN_MARK = Buffer.from("vrc_");
const TOKEN_BYTES = 108;

/** A value that must not be stored, and what to call it. */
export interface NamedSecret {
  /** For messages: the variable or the file it comes from. */
  readonly name: string;
  readonly value: Secret<string>;
}

/** What to search for; made once, used for any number of streams. */
export class SecretSearch {
  readonly #needles: readonly { name: string; bytes: Buffer }[];
  /** The longest text that can be cut in two by the border of two parts. */
  readonly #longest: number;

  /** Values that are too short would be found everywhere: see {@linkcode isSearchable}. */
  constructor(secrets: readonly NamedSecret[]) {
    this.#needles = secrets.filter(isSearchable).map(({ name, value }) => ({
      name,
      bytes: Buffer.from(textOf(value)),
    }));
    this.#longest = Math.max(TOKEN_BYTES, ...this.#needles.map(({ bytes }) => bytes.length));
  }

  /** A scanner for one stream of bytes. */
  scanner(): SecretScanner {
    return new SecretScanner((bytes) => this.#find(bytes), this.#longest - 1);
  }

  /** The name of what is found in these bytes. */
  in(bytes: Uint8Array | string): string | undefined {
    return this.#find(typeof bytes === "string" ? Buffer.from(bytes) : view(bytes));
  }

  #find(bytes: Buffer): string | undefined {
    const hit = this.#needles.find((needle) => bytes.includes(needle.bytes));
    return hit?.name ?? (holdsToken(bytes) ? "a token" : undefined);
  }
}

/** Searches one stream, also across the borders of its parts. */
export class SecretScanner {
  readonly #find: (bytes: Buffer) => string | undefined;
  readonly #keep: number;
  #tail = Buffer.alloc(0);
  #found: string | undefined;

  /** Use `SecretSearch.scanner`. `keep`: bytes of the end of a part that are looked at again. */
  constructor(find: (bytes: Buffer) => string | undefined, keep: number) {
    this.#find = find;
    this.#keep = keep;
  }

  /** The name of the first secret that was seen. */
  get found(): string | undefined {
    return this.#found;
  }

  /** Looks at the next part; the bytes may be used anew afterwards. */
  push(part: Uint8Array): void {
    if (this.#found !== undefined) return;
    const bytes = view(part);
    // Only the border is copied; a large part is searched where it stands.
    const border = Buffer.concat([this.#tail, bytes.subarray(0, this.#keep)]);
    this.#found = this.#find(border) ?? this.#find(bytes);
    const end = bytes.length >= this.#keep ? bytes : Buffer.concat([this.#tail, bytes]);
    this.#tail = Buffer.from(end.subarray(Math.max(0, end.length - this.#keep)));
  }
}

/** Whether a value is long enough to be searched for. */
export function isSearchable({ value }: NamedSecret): boolean {
  return Buffer.byteLength(textOf(value)) >= MIN_SECRET_BYTES;
}

/** Without the line's end that many a secret was pasted with: programs print it without. */
function textOf(value: Secret<string>): string {
  return value.reveal().trim();
}

function holdsToken(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(TOKEN_MARK); at >= 0; at = bytes.indexOf(TOKEN_MARK, at + 1)) {
    if (TOKEN.test(bytes.toString("latin1", at, at + TOKEN_BYTES))) return true;
  }
  return false;
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
