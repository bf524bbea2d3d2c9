/** From a URL to an {@linkcode ObjectStore}: the one list of media there are. */
import { fileURLToPath } from "node:url";
import type { Clock } from "../core/clock.ts";
import { CacheError } from "../core/errors.ts";
import type { ObjectStore } from "../core/object_store.ts";
import { openFsStore } from "./fs/fs_store.ts";
import { MemoryObjectStore } from "./memory.ts";

/** Options of {@linkcode openObjectStore}. */
export interface OpenOptions {
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

/** A scheme, the form its URLs have, and what opens them. */
interface Medium {
  readonly form: string;
  readonly open: (url: string, options: OpenOptions) => Promise<ObjectStore>;
}

const MEDIA: Readonly<Record<string, Medium>> = {
  memory: {
    form: "memory:",
    open(url, options) {
      if (url !== "memory:") throw refused(url, `want "memory:" and nothing behind it`);
      return Promise.resolve(new MemoryObjectStore(options));
    },
  },
  file: {
    form: "file:///path",
    open: (url, options) => openFsStore(pathOfUrl(url), options),
  },
};

const SCHEME = /^([a-z][a-z0-9+.-]*):/i;

/**
 * Opens the medium that a URL or a plain path names: `memory:`, `file:///var/cache`, `/var/cache`,
 * `./cache`. A folder is made if it is missing.
 *
 * @throws {CacheError} `unsupported` for a scheme that is not known, `invalid_argument` for a URL
 * of the wrong form; neither shows user, password or query of the URL
 */
export async function openObjectStore(
  url: string,
  options: OpenOptions = {},
): Promise<ObjectStore> {
  if (url === "" || url.includes("\0")) throw refused(url, "want a path or a URL");
  const scheme = SCHEME.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return await openFsStore(url, options);
  const medium = Object.hasOwn(MEDIA, scheme) ? MEDIA[scheme] : undefined;
  if (medium) return await medium.open(url, options);
  const known = Object.values(MEDIA).map(({ form }) => form).join(", ");
  throw new CacheError(
    "unsupported",
    `Cannot open store "${
      stripSecrets(url)
    }": scheme "${scheme}" is not known, want ${known} or a path`,
    { operation: "store.open" },
  );
}

/**
 * A URL that can be shown: without user and password, without query and fragment, where tokens
 * and signatures stand. Works on text, since what is no URL is shown in messages too.
 */
export function stripSecrets(url: string): string {
  const [path = ""] = url.split(/[?#]/, 1);
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*:\/*)?(.*)$/is.exec(path) ?? [];
  // The last "@": a password may have one as well, and then a "/" before it, too.
  return scheme + (scheme === "" ? rest : rest.slice(rest.lastIndexOf("@") + 1));
}

function pathOfUrl(url: string): string {
  if (!/^file:\/\/\/(?!\/)[^?#]*$/i.test(url)) {
    throw refused(url, `want "file:///path", without host and query`);
  }
  try {
    const path = fileURLToPath(url);
    if (!path.includes("\0")) return path;
  } catch (cause) {
    throw refused(url, "its path is badly encoded", cause);
  }
  throw refused(url, "its path has a zero byte");
}

function refused(url: string, why: string, cause?: unknown): CacheError {
  return new CacheError("invalid_argument", `Cannot open store "${stripSecrets(url)}": ${why}`, {
    operation: "store.open",
    ...(cause === undefined ? {} : { cause }),
  });
}
