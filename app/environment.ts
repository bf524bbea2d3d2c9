/** Everything a command knows of the outside: production passes the process, tests their own. */
import type { ByteStream } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { systemClock } from "../core/clock.ts";
import { askSecret, processTerminal } from "./ask_secret.ts";

/** The outside world as a command sees it. */
export interface Environment {
  readonly args: readonly string[];
  /** The working folder, absolute. */
  readonly cwd: string;
  env(name: string): string | undefined;
  /** Standard input; opened only when a command asks for it. */
  stdin(): ByteStream;
  /** Writes all of it to standard output. */
  stdout(data: string | Uint8Array): Promise<void>;
  /** Writes to standard error. */
  stderr(data: string | Uint8Array): void;
  /** Whether standard error is a terminal, for progress bars. */
  readonly interactive: boolean;
  /**
   * Asks a person for one line that is not shown while it is typed; `undefined` where nobody sits
   * at a terminal, or answers nothing.
   * @throws the reason of `interrupted`
   */
  askSecret(question: string): Promise<string | undefined>;
  /** Aborts at the first SIGINT or SIGTERM; its reason is the signal's name. */
  readonly interrupted: AbortSignal;
  readonly clock: Clock;
  /** How many processors this process may use. */
  readonly cores: number;
}

/** The process itself. Disposing it takes the signal handlers away. */
export function systemEnvironment(): Environment & Disposable {
  const controller = new AbortController();
  const interrupt = (name: "SIGINT" | "SIGTERM") => () => {
    // A second signal means it: the default is to end at once.
    for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    controller.abort(new DOMException(name, "AbortError"));
  };
  const handlers = (["SIGINT", "SIGTERM"] as const).map((name) => [name, interrupt(name)] as const);
  for (const [signal, handler] of handlers) Deno.addSignalListener(signal, handler);
  const encoder = new TextEncoder();
  return {
    args: Deno.args,
    // Asked when it is needed: it may be gone, and most commands do not care.
    get cwd() {
      return Deno.cwd();
    },
    env: (name) => Deno.env.get(name),
    stdin: () => Deno.stdin.readable,
    async stdout(data) {
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      let offset = 0;
      while (offset < bytes.length) offset += await Deno.stdout.write(bytes.subarray(offset));
    },
    stderr(data) {
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      let offset = 0;
      while (offset < bytes.length) offset += Deno.stderr.writeSync(bytes.subarray(offset));
    },
    interactive: Deno.stderr.isTerminal(),
    async askSecret(question) {
      const terminal = processTerminal();
      return terminal && (await askSecret(terminal, question, controller.signal) || undefined);
    },
    interrupted: controller.signal,
    clock: systemClock,
    cores: navigator.hardwareConcurrency,
    [Symbol.dispose]() {
      if (controller.signal.aborted) return;
      for (const [signal, handler] of handlers) Deno.removeSignalListener(signal, handler);
    },
  };
}
