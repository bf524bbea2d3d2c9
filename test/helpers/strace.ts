/** What `strace -f -y` saw of a program. */

/** One call that succeeded. */
export interface TracedCall {
  /** Without the endings that only tell how paths are named: `openat2` is `open`. */
  readonly name: string;
  /** Files it was about, of those that are of interest: paths of descriptors and in arguments. */
  readonly paths: readonly string[];
  /** The text of its arguments. */
  readonly args: string;
  /** Lines of the trace at which it began and ended: other threads may have called in between. */
  readonly begun: number;
  readonly ended: number;
}

/**
 * The calls in the order in which they ended, joined where strace shows them in two halves. Paths
 * are told relative to `folder`; calls about other files are left out unless `also` wants them.
 */
export function parseTrace(
  text: string,
  folder: string,
  also: (name: string, args: string) => boolean = () => false,
): TracedCall[] {
  const open = new Map<string, { text: string; line: number }>();
  const calls: TracedCall[] = [];
  for (const [line, shown] of text.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+)\s+(.*)$/.exec(shown) ?? [];
    let whole = rest;
    let begun = line;
    if (rest.endsWith("<unfinished ...>")) {
      open.set(thread, { text: rest.slice(0, -"<unfinished ...>".length), line });
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (resumed) {
      const first = open.get(thread);
      whole = (first?.text ?? "") + resumed[1];
      begun = first?.line ?? line;
    }
    const [, called, args, result] = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(whole) ?? [];
    if (called === undefined || args === undefined || Number(result) < 0) continue;
    const name = called.replace(/at2?$|2$|64$/, "");
    const paths = [...args.matchAll(/"([^"]*)"|\d+<([^>]*)>/g)].map((m) => m[1] ?? m[2] ?? "")
      .filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length));
    if (paths.length > 0 || also(name, args)) calls.push({ name, paths, args, begun, ended: line });
  }
  return calls;
}
