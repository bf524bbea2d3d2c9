/** Starts loads as processes and hears what became of them. */
import { fromFileUrl } from "../helpers/paths.ts";
import type { Job, Jobs } from "./client.ts";

/** What comes of a job. */
export type ResultOf<J extends Job> = Jobs[J["job"]][1];

/** A load under way. Disposing it kills what has not ended. */
export interface Load<J extends Job> extends AsyncDisposable {
  /** Resolves when the job says that it has begun. */
  readonly ready: Promise<void>;
  /** Lets it end by itself, or stops what has no end of its own. */
  stop(): Promise<ResultOf<J>>;
}

const CLIENT = fromFileUrl("../../test/load/client.ts");

/** Starts a job in a process of its own. */
export function startLoad<J extends Job>(job: J): Load<J> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CLIENT, JSON.stringify(job)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const ready = Promise.withResolvers<void>();
  const result = Promise.withResolvers<ResultOf<J>>();
  const reading = read(child.stdout, (line) => {
    const said = JSON.parse(line);
    if (said.ready) ready.resolve();
    else result.resolve(said.result);
  }).then(async () => {
    const { code } = await child.status;
    const ended = new Error(`the load "${job.job}" ended with code ${code} and said no more`);
    ready.reject(ended);
    result.reject(ended);
  });
  // Whoever waits for them hears of it; nobody has to.
  ready.promise.catch(() => {});
  result.promise.catch(() => {});
  let input: Promise<void> | undefined;
  const close = () => input ??= child.stdin.close();
  return {
    ready: ready.promise,
    async stop() {
      await close();
      return await result.promise;
    },
    async [Symbol.asyncDispose]() {
      await close();
      const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await reading;
      clearTimeout(late);
    },
  };
}

/** Runs a job that ends by itself. */
export async function runLoad<J extends Job>(job: J): Promise<ResultOf<J>> {
  await using load = startLoad(job);
  return await load.stop();
}

async function read(stream: ReadableStream<Uint8Array>, hear: (line: string) => void) {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) hear(line);
  }
}
