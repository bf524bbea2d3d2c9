/** Kills workers and cuts their power, round after round on the same store. */
import type { Durability } from "../../store/pack/options.ts";
import { randomOf } from "../helpers/random.ts";
import type { SeededRandom } from "../helpers/random.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { checkStore } from "./check_store.ts";
import type { Checked } from "./check_store.ts";
import { DurableMoment } from "./durable_moment.ts";
import { DiskModel } from "./disk_model.ts";
import { readFolder, writeFolder } from "./folder_image.ts";
import { History } from "./history.ts";
import { readRecord, recorderEnv, saidIn } from "./record.ts";
import type { Call, KillPoint } from "./record.ts";
import { serveLife } from "./serve_life.ts";
import { addChecked } from "./tally.ts";
import type { Tally } from "./tally.ts";

const WORKER = fromFileUrl("../crash/crash_work.ts");

/** Options of {@linkcode CrashedStore}. */
export interface CrashedStoreOptions {
  /** Path of the recorder. */
  readonly library: string;
  readonly maxSize: number;
  /** Whether that is too little for what is written. */
  readonly evicts: boolean;
  /** How its workers write. A server is always strict. Default: `strict`. */
  readonly durability?: Durability;
  /** With the store's name and the number of a life it says all that is drawn at random. */
  readonly seed: number;
  readonly name: string;
}

/** One store over several lives. */
export class CrashedStore {
  readonly dir: string;
  readonly #scratch: string;
  readonly #options: CrashedStoreOptions;
  #history = new History();
  #model = new DiskModel();
  #lives = 0;
  readonly #durable = new DurableMoment();

  /** `folder` is empty and is filled with the store, a record, and stores after power cuts. */
  constructor(folder: string, options: CrashedStoreOptions) {
    this.dir = `${folder}/store`;
    this.#scratch = folder;
    this.#options = options;
  }

  /** The history so far. */
  get history(): History {
    return this.#history;
  }

  /** Runs a worker until it is killed or at its end; tells the calls it made. */
  async work(kill: KillPoint | undefined): Promise<Call[]> {
    return await this.#recorded(kill, async (env) => {
      const { maxSize, durability = "strict" } = this.#options;
      const seed = this.#random("work").integer(0, 2 ** 31);
      const args = [this.dir, `${seed}`, `${this.#history.lastId + 1}`, `${maxSize}`, durability];
      const command = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", WORKER, ...args],
        env,
        stdout: "null",
        stderr: "piped",
      });
      const { signal, success, stderr } = await command.output();
      if (signal === "SIGKILL" || success) return;
      throw new Error(`the worker failed: ${new TextDecoder().decode(stderr)}`);
    });
  }

  /** The same with a whole server that is written to over HTTP; its history is heard at once. */
  async serve(kill: KillPoint | undefined): Promise<Call[]> {
    const { maxSize } = this.#options;
    const random = (writer: number) => this.#random(`writer ${writer}`);
    const life = { dir: this.dir, maxSize, random };
    return await this.#recorded(kill, (env) => serveLife({ ...life, env }, this.#history));
  }

  /** A sequence of its own for each purpose: no one of them shifts another. */
  #random(purpose: string): SeededRandom {
    const { seed, name } = this.#options;
    return randomOf(seed, `${name} life ${this.#lives} ${purpose}`);
  }

  async #recorded(
    kill: KillPoint | undefined,
    live: (env: Record<string, string>) => Promise<void>,
  ): Promise<Call[]> {
    const record = `${this.#scratch}/record`;
    await Deno.remove(record).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    const { library } = this.#options;
    await live(recorderEnv({ library, record, dir: this.dir, kill }));
    return readRecord(await Deno.readFile(record), this.dir);
  }

  /**
   * One life: killed at a point; checked as the kill left it, and as `cuts` power cuts at random
   * moments of that life would have left it. Goes on from the one or the other.
   */
  async round(
    kill: KillPoint | undefined,
    options: {
      cuts: number;
      thorough: boolean;
      tally: Tally;
      goOn?: boolean;
      /** A whole server: its power is only cut at its end, since its clients know no other moment. */
      serves?: boolean;
    },
  ): Promise<Call[]> {
    const { tally, cuts, thorough } = options;
    this.#lives++;
    const random = this.#random("cuts");
    const relaxed = this.#options.durability === "relaxed";
    const known = this.#history.acknowledged;
    const calls = options.serves ? await this.serve(kill) : await this.work(kill);
    const last = calls.at(-1);
    if (last?.name === "kill") {
      tally.kills++;
      const point = pointOf(last);
      tally.points.set(point, (tally.points.get(point) ?? 0) + 1);
    }
    const lines = saidIn(calls);
    const moments = Array.from(
      { length: cuts },
      () => options.serves ? calls.length : random.integer(0, calls.length + 1),
    );
    moments.sort((a, b) => a - b);
    for (const [n, call] of [...calls, undefined].entries()) {
      while (moments[0] === n) {
        moments.shift();
        const history = this.#history.copy();
        history.hear(lines, n);
        const cut = `${this.#scratch}/cut`;
        await writeFolder(cut, this.#model.cut(random));
        tally.cuts++;
        const until = relaxed ? this.#durable.ms : undefined;
        if (until !== undefined) tally.risked += history.acknowledgedAfter(until);
        addChecked(tally, await this.#check(cut, history, { thorough, until }));
      }
      if (!call) continue;
      this.#model.apply(call);
      this.#durable.hear(call);
    }
    this.#history.hear(lines);
    tally.acknowledged += this.#history.acknowledged - known;
    // Now and then the next life begins with what this one left, so that a recovery is killed too.
    if (options.goOn) return calls;
    // What a process wrote outlives its kill, synced or not: here relaxed durability loses nothing.
    addChecked(tally, await this.#check(this.dir, this.#history, { thorough }));
    this.#durable.settle(calls);
    this.#model = new DiskModel(await readFolder(this.dir));
    return calls;
  }

  /** Takes tables away that can be made again: the next life begins with a rebuild. */
  async spoil(names: readonly ("packs.sqlite" | "index.sqlite")[]): Promise<void> {
    for (const name of names) {
      for (const suffix of ["", "-wal", "-shm"]) {
        await Deno.remove(`${this.dir}/${name}${suffix}`).catch((error) => {
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        });
      }
    }
    this.#model = new DiskModel(await readFolder(this.dir));
  }

  #check(
    dir: string,
    history: History,
    how: { thorough: boolean; until?: number | undefined },
  ): Promise<Checked> {
    const { maxSize, evicts } = this.#options;
    return checkStore(dir, history, { maxSize, evicts, ...how });
  }
}

/** A call by what it is and on what, such as `write active/*.seg`. */
export function pointOf({ name, path, other }: Pick<Call, "name" | "path" | "other">): string {
  const [call, on] = name === "kill"
    ? [path, other]
    : [name, name === "rename" || name === "link" ? other : path];
  const general = on
    .replace(/[0-9a-f]{32}/, "*")
    .replace(/\.[0-9a-f]{16}/, ".*")
    .replace(/\/[0-9a-f]{2}(?=\/|$)/, "/xx")
    .replace(/-[0-9a-f]{2}-/, "-xx-")
    .replace(/\d{8}\.log/, "*.log");
  return `${call} ${general || "."}`;
}
