/** What this user told us and what we found out, kept in files that only he may read. */
import { dirname, isAbsolute, join } from "node:path";
import * as v from "valibot";
import { readKeyFile } from "../../auth/key_file.ts";
import { CacheError, toCacheError } from "../../core/errors.ts";
import type { Environment } from "../environment.ts";

/** `$XDG_CONFIG_HOME/vitte-remote-cache`, else `~/.config/vitte-remote-cache`; `undefined` without a home. */
export function userFolder(environment: Environment): string | undefined {
  const config = environment.env("XDG_CONFIG_HOME");
  // A relative one must be ignored, says the standard that the name is from.
  if (config && isAbsolute(config)) return join(config, "vitte-remote-cache");
  const home = environment.env("HOME");
  return home && isAbsolute(home) ? join(home, ".config", "vitte-remote-cache") : undefined;
}

/**
 * Facts about servers, one file an origin: two commands at once never write each other's. Reading
 * is by name, so a file is only believed about the origin that its name and its text say.
 */
export class OriginFiles<T extends { readonly origin: string }> {
  readonly #folder: string;
  readonly #schema: v.GenericSchema<unknown, T>;
  readonly #what: string;

  /** @param what in messages: `login` */
  constructor(
    folder: string,
    { schema, what }: { schema: v.GenericSchema<unknown, T>; what: string },
  ) {
    this.#folder = folder;
    this.#schema = schema;
    this.#what = what;
  }

  /** Where what is known of an origin stands. */
  pathOf(origin: string): string {
    return join(this.#folder, `${encodeURIComponent(origin)}.json`);
  }

  /**
   * What is known of an origin.
   * @throws {CacheError} `permission_denied` when others may read the file, `corrupt`
   */
  get(origin: string): T | undefined {
    const path = this.pathOf(origin);
    const text = this.#read(path);
    if (text === undefined) return undefined;
    const known = this.#parse(text);
    if (known?.origin === origin) return known;
    throw new CacheError(
      "corrupt",
      `Cannot read the ${this.#what} "${path}": it holds something else`,
      { operation: "user_folder.read", hint: "remove it, and log in again" },
    );
  }

  /** All that is known, in the order of origins. @throws as {@linkcode OriginFiles.get} */
  list(): T[] {
    const origins = this.#names().filter((name) => name.endsWith(".json"))
      .map((name) => decodeURIComponent(name.slice(0, -".json".length))).sort();
    return origins.map((origin) => this.get(origin)).filter((known) => known !== undefined);
  }

  /** Puts it in place of what was known, whole or not at all, with mode 0600. */
  put(known: T): void {
    const path = this.pathOf(known.origin);
    try {
      Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writePrivately(path, `${JSON.stringify(known)}\n`);
    } catch (thrown) {
      const error = toCacheError(thrown, "user_folder.write");
      throw new CacheError(
        error.kind,
        `Cannot write the ${this.#what} "${path}": ${error.message}`,
        { operation: "user_folder.write", cause: thrown },
      );
    }
  }

  /** Forgets an origin; tells whether it was known. */
  delete(origin: string): boolean {
    try {
      Deno.removeSync(this.pathOf(origin));
      return true;
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound) return false;
      throw toCacheError(thrown, "user_folder.delete");
    }
  }

  #read(path: string): string | undefined {
    try {
      return readKeyFile(path, { what: this.#what });
    } catch (thrown) {
      if (thrown instanceof CacheError && isOutOfReach(thrown.cause)) return undefined;
      throw thrown;
    }
  }

  #names(): string[] {
    try {
      return [...Deno.readDirSync(this.#folder)].map(({ name }) => name);
    } catch (thrown) {
      if (thrown instanceof Deno.errors.NotFound || isOutOfReach(thrown)) return [];
      throw toCacheError(thrown, "user_folder.list");
    }
  }

  #parse(text: string): T | undefined {
    try {
      return v.parse(this.#schema, JSON.parse(text));
    } catch {
      return undefined; // the caller says which file it is, without its text
    }
  }
}

/**
 * Whether there is no folder of this user's at all: HOME may be a file, or somebody else's, as in
 * many containers. Then nothing is known, and nobody is trusted.
 */
function isOutOfReach(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.NotADirectory ||
    thrown instanceof Deno.errors.PermissionDenied;
}

/** As `writeKeyFile`, but two writers at once do not meet: the last one stands, whole. */
function writePrivately(path: string, text: string): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    {
      using file = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    }
    Deno.renameSync(temporary, path);
  } catch (thrown) {
    try {
      Deno.removeSync(temporary);
    } catch (second) {
      if (!(second instanceof Deno.errors.NotFound)) throw second;
    }
    throw thrown;
  }
}
