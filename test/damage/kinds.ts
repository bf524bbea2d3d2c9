/** The kinds of damage. Each does one thing to one file, in a way that a disk or a person may. */
import type { SeededRandom } from "../helpers/random.ts";
import type { Span } from "./records.ts";

/** Where a damage happens. */
export interface Spot {
  /** The folder of the store. */
  readonly dir: string;
  /** The file, below it. */
  readonly path: string;
  /** The bytes that are meant; most kinds touch no others. */
  readonly span: Span;
  /** Another file of the same type, below the same folder, if there is one. */
  readonly other: string | undefined;
  readonly random: SeededRandom;
}

type Edit = (bytes: Uint8Array<ArrayBuffer>, spot: Spot) => Uint8Array<ArrayBuffer>;

/** What may happen to some bytes in the middle of a file. */
export const BYTE_KINDS: Readonly<Record<string, (spot: Spot) => Promise<void>>> = {
  "flip": edit((bytes, { span, random }) => {
    bytes[random.integer(span.from, span.to)]! ^= 2 ** random.integer(0, 8);
    return bytes;
  }),
  "zero": edit((bytes, { span }) => bytes.fill(0, span.from, span.to)),
  "ones": edit((bytes, { span }) => bytes.fill(0xff, span.from, span.to)),
  "noise": edit((bytes, { span, random }) => {
    bytes.set(random.bytes(span.to - span.from), span.from);
    return bytes;
  }),
  "cut": edit((bytes, { span }) => bytes.slice(0, span.from)),
  "left out": edit((bytes, { span }) => joined(bytes.slice(0, span.from), bytes.slice(span.to))),
  "duplicate": edit((bytes, { span }) => joined(bytes.slice(0, span.to), bytes.slice(span.from))),
  "swap": edit((bytes, { span }) => {
    const half = Math.floor((span.to - span.from) / 2);
    const first = bytes.slice(span.from, span.from + half);
    bytes.copyWithin(span.from, span.to - half, span.to);
    bytes.set(first, span.to - half);
    return bytes;
  }),
};

/** What may happen to a whole file. */
export const FILE_KINDS: Readonly<Record<string, (spot: Spot) => Promise<void>>> = {
  "delete": ({ dir, path }) => Deno.remove(`${dir}/${path}`),
  "empty": edit(() => new Uint8Array(0)),
  "all zero": edit((bytes) => bytes.fill(0)),
  "all noise": edit((bytes, { random }) => random.bytes(bytes.length)),
  "last byte cut": edit((bytes) => bytes.slice(0, -1)),
  "half cut": edit((bytes) => bytes.slice(0, bytes.length >> 1)),
  "twice": edit((bytes) => joined(bytes, bytes)),
  "garbage behind": edit((bytes, { random }) => joined(bytes, random.bytes(5000))),
  "page of zeros": edit((bytes, { random }) => {
    const page = 4096 * random.integer(0, Math.ceil(bytes.length / 4096));
    return bytes.fill(0, page, page + 4096);
  }),
  "page of noise": edit((bytes, { random }) => {
    const page = 4096 * random.integer(0, Math.ceil(bytes.length / 4096));
    bytes.set(random.bytes(Math.min(4096, bytes.length - page)), page);
    return bytes;
  }),
  "flips": edit((bytes, { random }) => {
    for (let n = 0; n < 8; n++) {
      bytes[random.integer(0, bytes.length)]! ^= 2 ** random.integer(0, 8);
    }
    return bytes;
  }),
  "folder in its place": async ({ dir, path }) => {
    await Deno.remove(`${dir}/${path}`);
    await Deno.mkdir(`${dir}/${path}`);
  },
  "exchange": async ({ dir, path, other }) => {
    if (other === undefined) return;
    await Deno.rename(`${dir}/${path}`, `${dir}/${path}.x`);
    await Deno.rename(`${dir}/${other}`, `${dir}/${path}`);
    await Deno.rename(`${dir}/${path}.x`, `${dir}/${other}`);
  },
  "other's bytes": async ({ dir, path, other }) => {
    if (other !== undefined) await Deno.copyFile(`${dir}/${other}`, `${dir}/${path}`);
  },
};

function edit(change: Edit): (spot: Spot) => Promise<void> {
  return async (spot) => {
    const path = `${spot.dir}/${spot.path}`;
    await Deno.writeFile(path, change(await Deno.readFile(path), spot));
  };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
