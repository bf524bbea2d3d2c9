/** One run of `exec`: from the cache if it is there, else by the program itself, and then stored. */
import type { Cache } from "../../core/cache.ts";
import type { Entry } from "../../core/entry.ts";
import type { Environment } from "../environment.ts";
import type { ExitCode } from "../exit_codes.ts";
import { EXIT, programStatus } from "../exit_codes.ts";
import type { Opened } from "../opened.ts";
import type { Output } from "../output.ts";
import { say, shown } from "../output.ts";
import type { Tolerance } from "../tolerance.ts";
import { attemptToItsEnd } from "../tolerance.ts";
import { statFolder } from "../user_cache.ts";
import type { ChildEnd } from "./child.ts";
import { printedBytes, runChild } from "./child.ts";
import { execKey, explainingFacts } from "./exec_key.ts";
import type { RunFacts } from "./exec_key.ts";
import { FileDigests } from "./file_digests.ts";
import type { OutputLock } from "./output_lock.ts";
import { OutputWatch, restoreOutputs, storeOutputs } from "./outputs.ts";
import { Printed } from "./printed.ts";
import type { RunRequest } from "./run_request.ts";
import { runFacts } from "./run_request.ts";
import type { SecretSearch } from "./secret_scanner.ts";
import type { RunRecord } from "./stored_run.ts";
import { bytesOfRun, findRun, printedOf, storeRun } from "./stored_run.ts";
import { MAX_EXEC_PRINTED_BYTES } from "../../core/build_limits.ts";

/** What an execution needs of the outside. */
export interface ExecutionParts {
  readonly environment: Environment;
  readonly output: Output;
  readonly tolerance: Tolerance;
  readonly namespace: string;
  /** Opens the store; called for each step, so that a folder is not held while the program runs. */
  open(): Promise<Opened>;
  /** Takes turns with other runs; `undefined` where that can not be, and then nothing is stored. */
  lock(paths: readonly string[]): Promise<OutputLock | undefined>;
  readonly secrets: SecretSearch;
  /** For `explainingFacts`. */
  readonly factsSecret: Uint8Array;
  /** Why nothing may be stored whatever comes; `undefined` if nothing is known against it. */
  readonly refusal: string | undefined;
}

/** What became of it. */
export interface ExecutionReport {
  readonly key: string;
  readonly result: "hit" | "ran";
  readonly status: ExitCode;
  /** Whether this run is in the cache now. */
  readonly stored: boolean;
  /** Why it is not. */
  readonly reason?: string | undefined;
  /** Milliseconds that the program took, when it was stored or now. */
  readonly cost: number;
}

/** Runs a request; see {@linkcode Execution.run}. */
export class Execution {
  readonly #request: RunRequest;
  readonly #parts: ExecutionParts;
  readonly #digests: FileDigests;

  constructor(request: RunRequest, parts: ExecutionParts) {
    this.#request = request;
    this.#parts = parts;
    this.#digests = new FileDigests({
      clock: parts.environment.clock,
      folder: statFolder(parts.environment),
      step: JSON.stringify([request.cwd, request.inputs, request.words[0]]),
    });
  }

  /**
   * Shows what is stored, or runs the program and stores what may be stored. Failures of the cache
   * are warnings.
   * @throws {UsageError} and {CacheError} for what the caller got wrong, before anything runs
   */
  async run(): Promise<ExecutionReport> {
    try {
      return await this.#inTurn();
    } finally {
      this.#remember();
    }
  }

  async #inTurn(): Promise<ExecutionReport> {
    const { outputs } = this.#request;
    let facts = this.#facts();
    // A hit without outputs changes nothing on disk: nobody has to wait for it.
    if (outputs.length === 0) return await this.#hit(facts) ?? await this.#runProgram(facts);
    using lock = await this.#parts.lock(outputs);
    // Who had the files before may have changed the inputs too.
    if (lock?.waited) facts = this.#facts();
    const strayed = lock?.strayed ?? true;
    return (strayed ? undefined : await this.#hit(facts)) ?? await this.#runProgram(facts, lock);
  }

  #remember(): void {
    try {
      this.#digests.save();
    } catch (thrown) {
      // Files are then read again the next time, and a build must not fail for that.
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      this.#parts.output.warn(`digests of the inputs can not be noted: ${shown(why)}`);
    }
  }

  #facts(): RunFacts {
    const { environment } = this.#parts;
    return runFacts(this.#request, {
      env: (name) => environment.env(name),
      digests: this.#digests,
    });
  }

  async #hit(facts: RunFacts): Promise<ExecutionReport | undefined> {
    const key = execKey(facts);
    const { namespace } = this.#parts;
    return await this.#onStore(async (cache) => {
      const { tolerance } = this.#parts;
      const entry = await tolerance.attempt(
        "look up the run",
        (signal) => findRun(cache, { namespace, key }, { signal }),
      );
      const shown = entry && await this.#show(cache, entry);
      if (!shown) return undefined;
      return { key, result: "hit", status: EXIT.ok, stored: true, cost: entry.cost };
    });
  }

  /** Brings a stored run back; `undefined` if that can not be done wholly. */
  async #show(cache: Cache, entry: Entry): Promise<true | undefined> {
    const { tolerance, environment } = this.#parts;
    // Nothing of it may still write when the program begins.
    const printed = await attemptToItsEnd(tolerance, "fetch the run", async (signal) => {
      const bytes = await printedOf(cache, entry, { signal });
      if (!bytes || this.#request.outputs.length === 0) return bytes;
      const { clock } = environment;
      const whole = await restoreOutputs(cache, entry, this.#request, { signal, clock });
      return whole ? bytes : undefined;
    }, { bytes: bytesOfRun(entry) });
    if (!printed) return undefined;
    await environment.stdout(printed.stdout);
    say(environment, printed.stderr);
    return true;
  }

  /** A program's words on standard error reach nobody where they can not be written, as without us. */
  #showError(part: Uint8Array): void {
    try {
      this.#parts.environment.stderr(part);
    } catch (thrown) {
      // Then the program hears of it.
      if (thrown instanceof Deno.errors.BrokenPipe) throw thrown;
    }
  }

  async #runProgram(facts: RunFacts, lock?: OutputLock): Promise<ExecutionReport> {
    const { environment, output, secrets } = this.#parts;
    const { clock, interrupted } = environment;
    const key = execKey(facts);
    const watch = await OutputWatch.begin(this.#request.outputs, { clock, signal: interrupted });
    const room = { left: MAX_EXEC_PRINTED_BYTES };
    const printed = {
      stdout: new Printed({ show: environment.stdout, scanner: secrets.scanner(), room }),
      stderr: new Printed({
        show: (part) => this.#showError(part),
        scanner: secrets.scanner(),
        room,
      }),
    };
    const began = clock.monotonic();
    const end = await runChild({
      words: this.#request.words,
      cwd: this.#request.cwd,
      interrupted,
      interactive: environment.interactive,
      clock,
      printed,
      onStart: (pid) => this.#mark(pid, lock),
    });
    const cost = Math.round(clock.monotonic() - began);
    const report = { key, result: "ran", cost, status: this.#statusOf(end) } as const;
    if (report.status !== EXIT.ok) return { ...report, stored: false, reason: "it failed" };
    const refusal = this.#refusal(facts, { end, printed, lock });
    const { problem, bytes } = refusal === undefined ? watch.end(secrets) : { bytes: 0 };
    const reason = refusal ?? problem;
    if (reason !== undefined) {
      output.warn(`the run is not stored: ${reason}`);
      return { ...report, stored: false, reason };
    }
    const stored = await this.#store(
      {
        namespace: this.#parts.namespace,
        key,
        inputs: explainingFacts(facts, this.#parts.factsSecret),
        cost,
        created: clock.now(),
      },
      printed,
      bytes,
    );
    return { ...report, ...stored };
  }

  /** The program runs by now: what fails here must not leave it alone. */
  #mark(pid: number, lock: OutputLock | undefined): void {
    try {
      lock?.mark(pid);
    } catch (thrown) {
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      this.#parts.output.warn(`no later run will wait for this one if it is killed: ${shown(why)}`);
    }
  }

  /** Why a run that ended well may not be stored, as far as it is not for its outputs. */
  #refusal(
    facts: RunFacts,
    { end, printed, lock }: {
      readonly end: ChildEnd;
      readonly printed: { readonly stdout: Printed; readonly stderr: Printed };
      readonly lock: OutputLock | undefined;
    },
  ): string | undefined {
    const { refusal } = this.#parts;
    if (refusal !== undefined) return refusal;
    if (!end.whole) return "a process that it left behind still has its output open";
    const problem = printed.stdout.problem ?? printed.stderr.problem;
    if (this.#request.printed && problem !== undefined) return problem;
    if (this.#request.outputs.length > 0) {
      if (!lock) return "nobody can be kept from writing its outputs at the same time";
      if (lock.strayed) return "a program of an earlier, killed run may still write its outputs";
    }
    return this.#isSame(facts) ? undefined : "its inputs changed while it ran";
  }

  /** Whether everything that the key was made of still is what it was. */
  #isSame(facts: RunFacts): boolean {
    try {
      return execKey(this.#facts()) === execKey(facts);
    } catch {
      // An input is gone, or a pattern matches nothing any more: that is a change, too.
      return false;
    }
  }

  async #store(
    record: RunRecord,
    printed: { readonly stdout: Printed; readonly stderr: Printed },
    outputBytes: number,
  ): Promise<Pick<ExecutionReport, "stored" | "reason">> {
    const none = { stdout: new Uint8Array(0), stderr: new Uint8Array(0) };
    const shown = (this.#request.printed ? printedBytes(printed) : none) ?? none;
    const { tolerance, environment: { clock } } = this.#parts;
    const stored = await this.#onStore((cache) =>
      tolerance.attempt("store the run", async (signal) => {
        if (this.#request.outputs.length === 0) {
          return await storeRun(cache, record, shown, { signal });
        }
        return await storeOutputs(cache, record, shown, this.#request, { signal, clock });
      }, { bytes: outputBytes + shown.stdout.length + shown.stderr.length })
    );
    if (stored === undefined) return { stored: false, reason: "the cache can not be used" };
    return stored ? { stored } : { stored, reason: "another run was stored first" };
  }

  #statusOf({ status }: ChildEnd): ExitCode {
    const { interrupted } = this.#parts.environment;
    return status === 0 && interrupted.aborted ? EXIT.interrupted : programStatus(status);
  }

  /** Opens the store for some work; `undefined` when it can not be opened, with a warning. */
  async #onStore<T>(work: (cache: Cache) => Promise<T | undefined>): Promise<T | undefined> {
    const { tolerance, open, environment } = this.#parts;
    if (tolerance.failed) return undefined;
    let opened: Opened;
    try {
      opened = await open();
    } catch (thrown) {
      environment.interrupted.throwIfAborted();
      tolerance.give("open the cache", thrown);
      return undefined;
    }
    await using store = opened;
    return await work(store.cache);
  }
}
