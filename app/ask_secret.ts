/** Asks a person at the terminal for something that is not to be seen there. */
import { abortable } from "../core/abort.ts";
import { MAX_TOKEN_CHARACTERS } from "../core/limits.ts";

/** A terminal to ask at. */
export interface AskingTerminal {
  /** Shows text. */
  write(text: string): void;
  /** What is typed next; `undefined` when nothing will come any more. */
  read(signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Turns the echo off, or on again. */
  hide(hidden: boolean): void;
}

const ENTER = /[\r\n]/;
/** As a terminal takes them when it edits a line by itself. */
const KEYS = { backspace: "\x7f\b", line: "\x15", end: "\x04" } as const;

/**
 * The line that is typed, without its end; `undefined` if the input ends before. The echo is on
 * again whatever happens, also when `signal` aborts.
 * @throws the signal's reason
 */
export async function askSecret(
  terminal: AskingTerminal,
  question: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const decoder = new TextDecoder();
  let line = "";
  terminal.hide(true);
  try {
    // Only now: what is typed ahead would be seen.
    terminal.write(question);
    for (;;) {
      const bytes = await terminal.read(signal);
      if (bytes === undefined) return undefined;
      for (const key of decoder.decode(bytes, { stream: true })) {
        if (ENTER.test(key)) return line;
        if (key === KEYS.end) return line === "" ? undefined : line;
        if (key === KEYS.line) line = "";
        else if (KEYS.backspace.includes(key)) line = line.slice(0, -1);
        else if (line.length <= MAX_TOKEN_CHARACTERS) line += key;
      }
    }
  } finally {
    terminal.hide(false);
    terminal.write("\n");
  }
}

/** The terminal of this process; `undefined` where nobody sits at both of its ends. */
export function processTerminal(): AskingTerminal | undefined {
  if (!Deno.stdin.isTerminal() || !Deno.stderr.isTerminal()) return undefined;
  return {
    write: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
    // Ctrl-C stays a signal.
    hide: (hidden) => Deno.stdin.setRaw(hidden, { cbreak: true }),
    async read(signal) {
      const buffer = new Uint8Array(1024);
      const count = await abortable(Deno.stdin.read(buffer), signal);
      return count === null ? undefined : buffer.subarray(0, count);
    },
  };
}
