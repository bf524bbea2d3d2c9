/**
 * Outputs in files of this machine, for the go command to read:
 *
 *     <dir>/outputs/ab/<64 hex digits>   the bytes, under their SHA-256
 *     <dir>/actions/cd/<64 hex digits>   one line: v1 <output> <bytes> <milliseconds since 1970>
 *     <dir>/new/                         what is not whole yet
 *
 * Several go commands share the folder without a lock: files appear whole, by renaming, and are
 * never written again. The time of the last change of a file is that of its last use.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import type { Digest } from "../../core/digest.ts";
import { digestFromBytes, digestHex, parseDigest } from "../../core/digest.ts";
import { CacheError } from "../../core/errors.ts";
import { GO_TOUCH_MS } from "../../core/build_limits.ts";
import type { LocalOutput } from "./messages.ts";
import { OutputFile, removeIfThere } from "./output_file.ts";

const ACTION = /^v1 ([0-9a-f]{64}) (\d{1,16}) (\d{1,15})\n$/;
const READ_BYTES = 256 * 1024;

/** What a folder is opened with. */
export interface LocalOptions {
  readonly clock: Clock;
  /** Makes an empty folder for this process alone, for when the cache's own can not be written. */
  makeSpare(): string;
  /** Hears once why the cache's folder can not be used. */
  onTrouble(thrown: unknown): void;
}

/** The folder of one user, and one for the time of this process if that is full. */
export class LocalOutputs implements Disposable {
  readonly #dir: string;
  readonly #options: LocalOptions;
  /** What this process has stored or checked. */
  readonly #known = new Map<string, LocalOutput>();
  readonly #checked = new Set<Digest>();
  readonly #buffer = new Uint8Array(READ_BYTES);
  #usable: boolean;
  #spare: string | undefined;
  #troubled = false;
  /** Files whose bytes were not what their name says. */
  damaged = 0;
  /** Bytes that were added. */
  added = 0;

  /** Makes the folder. One that can not be made, or that nobody names, is done without. */
  constructor(dir: string | undefined, options: LocalOptions) {
    this.#dir = dir ?? "";
    this.#options = options;
    this.#usable = dir !== undefined;
    if (!this.#usable) return;
    try {
      Deno.mkdirSync(`${dir}/new`, { recursive: true, mode: 0o700 });
    } catch (thrown) {
      this.#usable = false;
      this.#trouble(thrown);
    }
  }

  /** The output of an action, if its bytes are still right. */
  find(action: string): LocalOutput | undefined {
    const known = this.#known.get(action);
    if (known) return known;
    if (!this.#usable) return undefined;
    const found = this.#read(action);
    if (!found || !this.#isRight(found)) return undefined;
    this.#touch(this.#actionPath(action));
    this.#known.set(action, found);
    return found;
  }

  /** Begins to take in an output. Whoever does so disposes it. */
  begin(): OutputFile {
    return new OutputFile({
      home: this.#usable ? `${this.#dir}/new` : undefined,
      spare: () => this.#spareFolder(),
    });
  }

  /**
   * Keeps what was written as the output of an action.
   * @throws {CacheError} `corrupt` for other bytes or another size than `expected`
   */
  keep(
    file: OutputFile,
    expected: { action: string; output: Digest; size: number; time: number },
  ): LocalOutput {
    const { action, output, size, time } = expected;
    const digest = file.finish();
    if (digest !== output || file.size !== size) {
      throw new CacheError("corrupt", `Cannot keep output ${output}: other bytes came`, {
        operation: "gocache.keep",
      });
    }
    const found = { output, size, time, path: this.#place(file, output) };
    this.#known.set(action, found);
    this.added += size;
    if (found.path === this.#outputPath(output)) this.#noteAction(action, found);
    return found;
  }

  /** Removes the folder of this process; the cache's own stays. */
  [Symbol.dispose](): void {
    if (this.#spare !== undefined) Deno.removeSync(this.#spare, { recursive: true });
    this.#spare = undefined;
  }

  #place(file: OutputFile, output: Digest): string {
    const hex = digestHex(output);
    if (file.inSpare) {
      const path = `${this.#spareFolder()}/${hex}`;
      Deno.renameSync(file.path, path);
      return path;
    }
    const path = this.#outputPath(output);
    // Another action may have it already: those bytes were checked and are in use.
    if (this.#checked.has(output)) return path;
    try {
      renameInto(file.path, path);
    } catch (thrown) {
      // No room for a folder, maybe. Where it is now it can be read, too.
      this.#trouble(thrown);
      return file.leave();
    }
    this.#checked.add(output);
    return path;
  }

  /** A failure costs a later miss; the go command has its file all the same. */
  #noteAction(action: string, { output, size, time }: LocalOutput): void {
    const temporary = `${this.#dir}/new/${crypto.randomUUID()}`;
    try {
      const text = `v1 ${digestHex(output)} ${size} ${Math.floor(time)}\n`;
      Deno.writeTextFileSync(temporary, text, { createNew: true, mode: 0o600 });
      renameInto(temporary, this.#actionPath(action));
    } catch (thrown) {
      removeIfThere(temporary);
      this.#trouble(thrown);
    }
  }

  #read(action: string): LocalOutput | undefined {
    let text: string;
    try {
      text = Deno.readTextFileSync(this.#actionPath(action));
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) this.#trouble(thrown);
      return undefined;
    }
    const [, hex, size, time] = ACTION.exec(text) ?? [];
    if (hex === undefined) {
      this.damaged++;
      return undefined;
    }
    const output = parseDigest(hex);
    return { output, size: Number(size), time: Number(time), path: this.#outputPath(output) };
  }

  #isRight({ output, size, path }: LocalOutput): boolean {
    if (this.#checked.has(output)) return true;
    try {
      using file = Deno.openSync(path, { read: true });
      const hash = createHash("sha256");
      let found = 0;
      for (let count = 0; count !== null; count = file.readSync(this.#buffer)!) {
        hash.update(this.#buffer.subarray(0, count));
        found += count;
      }
      if (found !== size || digestFromBytes(hash.digest()) !== output) {
        this.damaged++;
        return false;
      }
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) this.#trouble(thrown);
      return false;
    }
    this.#touch(path);
    this.#checked.add(output);
    return true;
  }

  /** Notes a use, no more often than the clean-up needs to know. */
  #touch(path: string): void {
    const now = this.#options.clock.now();
    try {
      const { mtime } = Deno.statSync(path);
      if (mtime && now - mtime.getTime() < GO_TOUCH_MS) return;
      Deno.utimeSync(path, new Date(now), new Date(now));
    } catch (thrown) {
      this.#trouble(thrown);
    }
  }

  #spareFolder(): string {
    return this.#spare ??= this.#options.makeSpare();
  }
  #trouble(thrown: unknown): void {
    if (!this.#troubled) this.#options.onTrouble(thrown);
    this.#troubled = true;
  }
  #outputPath(output: Digest): string {
    const hex = digestHex(output);
    return `${this.#dir}/outputs/${hex.slice(0, 2)}/${hex}`;
  }
  #actionPath(action: string): string {
    return `${this.#dir}/actions/${action.slice(0, 2)}/${action}`;
  }
}

/** Renames, and makes the folder only when it is not there. */
function renameInto(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    Deno.mkdirSync(to.slice(0, to.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    Deno.renameSync(from, to);
  }
}
