/** Kills workers and cuts their power, round after round on the same store. */
import type { SeededRandom } from "../helpers/random.ts";
import { fromFileUrl } from "../helpers/paths.ts";
import { checkStore } from "./check_store.ts";
import { DiskModel } from "./disk_model.ts";
import { readFolder, writeFolder } from "./folder_image.ts";
import { History } from "./history.ts";
import { readRecord, recorderEnv, saidIn } from "./record.ts";
import type { Call, KillPoint } from "./record.ts";

const WORKER = fromFileUrl("../crash/crash_work.ts");

/** What some runs did, added up. */
export interface Tally {
  kills: number;
  cuts: number;
  /** Kills by the call that was met. */
  readonly points: Map<string, number>;
  acknowledged: number;
  compared: number;
  torn: number;
  gone: number;
}

/** An empty tally. */
export function emptyTally(): Tally {
  return { kills: 0, cuts: 0, points: new Map(), acknowledged: 0, compared: 0, torn: 0, gone: 0 };
}

/** One store over several lives. */
export class CrashedStore {
  readonly dir: string;
  readonly #library: string;
  readonly #scratch: string;
  readonly #maxSize: number;
  readonly #random: SeededRandom;
  #history = new History();
  #model = new DiskModel();

  /** `folder` is empty and is filled with the store, a record, and stores after power cuts. */
  constructor(
    folder: string,
    options: { library: string; maxSize: number; random: SeededRandom },
  ) {
    this.dir = `${folder}/store`;
    this.#scratch = folder;
    this.#library = options.library;
    this.#maxSize = options.maxSize;
    this.#random = options.random;
  }

  /** The history so far. */
  get history(): History {
    return this.#history;
  }

  /** Runs a worker until it is killed or at its end; tells the calls it made. */
  async work(kill: KillPoint | undefined): Promise<Call[]> {
    const record = `${this.#scratch}/record`;
    await Deno.remove(record).catch(() => {}); // not there in the first round
    const seed = this.#random.integer(0, 2 ** 31);
    const { dir } = this;
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", WORKER, dir, String(seed), `${this.#history.lastId + 1}`]
        .concat(String(this.#maxSize)),
      env: recorderEnv({ library: this.#library, record, dir, kill }),
      stdout: "null",
      stderr: "piped",
    });
    const { signal, success, stderr } = await command.output();
    if (signal !== "SIGKILL" && !success) {
      throw new Error(`the worker failed: ${new TextDecoder().decode(stderr)}`);
    }
    return readRecord(await Deno.readFile(record), dir);
  }

  /**
   * One life: killed at a point; checked as the kill left it, and as `cuts` power cuts at random
   * moments of that life would have left it. Goes on from the one or the other.
   */
  async round(
    kill: KillPoint | undefined,
    options: { cuts: number; thorough: boolean; tally: Tally; goOn?: boolean },
  ): Promise<void> {
    const { tally, cuts, thorough } = options;
    const calls = await this.work(kill);
    const last = calls.at(-1);
    if (last?.name === "kill") {
      tally.kills++;
      const point = pointOf(last);
      tally.points.set(point, (tally.points.get(point) ?? 0) + 1);
    }
    const lines = saidIn(calls);
    const moments = Array.from({ length: cuts }, () => this.#random.integer(0, calls.length + 1));
    moments.sort((a, b) => a - b);
    const before = tally.acknowledged;
    for (const [n, call] of [...calls, undefined].entries()) {
      while (moments[0] === n) {
        moments.shift();
        const history = this.#history.copy();
        history.hear(lines, n);
        const cut = `${this.#scratch}/cut`;
        await writeFolder(cut, this.#model.cut(this.#random));
        tally.cuts++;
        try {
          add(tally, await checkStore(cut, history, { maxSize: this.#maxSize, thorough }));
        } catch (error) {
          const shown = calls.slice(Math.max(0, n - 400), n).map((one) => {
            const t = one.name === "say" ? new TextDecoder().decode(one.data).trim() : "";
            return `${one.name} ${one.path} ${one.other} ${one.offset}+${one.data.length} ${t}`;
          });
          console.log(shown.join("\n"));
          throw error;
        }
      }
      if (call) this.#model.apply(call);
    }
    this.#history.hear(lines);
    tally.acknowledged = before + saidIn(calls).filter(({ line }) => line.startsWith("ok ")).length;
    // Now and then the next life begins with what this one left, so that a recovery is killed too.
    if (options.goOn) return;
    add(tally, await checkStore(this.dir, this.#history, { maxSize: this.#maxSize, thorough }));
    this.#model = new DiskModel(await readFolder(this.dir));
  }
}

function add(tally: Tally, checked: { compared: number; torn: number; gone: number }): void {
  tally.compared += checked.compared;
  tally.torn += checked.torn;
  tally.gone += checked.gone;
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
