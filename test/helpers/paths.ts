/** Paths of this repository, wherever it is checked out. */

/** The path of a file named relative to this folder. */
export function fromFileUrl(relative: string): string {
  return decodeURIComponent(new URL(relative, import.meta.url).pathname);
}

/** The top of the repository, without a slash at the end. */
export const ROOT: string = fromFileUrl("../../").replace(/\/$/, "");
