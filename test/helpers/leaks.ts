/** Finds what the sanitizers of `deno test` miss: descriptors of `node:fs` and SQLite, workers. */

const workers = new Map<Worker, string>();

/** Notes a worker until it is terminated, and gives it back. */
export function trackWorker(worker: Worker, name = "worker"): Worker {
  workers.set(worker, name);
  const terminate = worker.terminate.bind(worker);
  worker.terminate = () => {
    workers.delete(worker);
    terminate();
  };
  return worker;
}

/** Looks again this often, `WAIT_MS` apart, before it calls something a leak: closing takes a turn. */
const LOOKS = 20;
const WAIT_MS = 10;

/**
 * Opened by the runtime by itself and kept: event loops, its own caches, the folder being read.
 * Sockets and pipes are not here: a test that leaves one behind has leaked it.
 */
const BENIGN =
  /^(anon_inode:|\/dev\/(null|urandom|random)$|\/proc\/|.*\/(\w+_cache_v\d+)(-wal|-shm|-journal)?$)/;

/**
 * Runs `fn` and fails if it left open descriptors or tracked workers behind.
 * @throws {Error} that names each; what `fn` itself threw comes first
 */
export async function assertNoLeaks<T>(fn: () => Promise<T> | T): Promise<T> {
  const check = watchLeaks();
  const result = await fn();
  await check();
  return result;
}

/**
 * Notes what is open now. The function it gives fails if anything else is open then, files in
 * `shared` folders apart: what they hold belongs to more than one test.
 * @throws {Error} from the given function, that names each descriptor and worker
 */
export function watchLeaks(shared: Iterable<string> = []): () => Promise<void> {
  const before = snapshot();
  const inside = [...shared].map((folder) => `${folder}/`);
  const excess = () =>
    excessOver(before).filter((what) => !inside.some((folder) => what.startsWith(folder)));
  return () => check(excess);
}

async function check(excess: () => string[]): Promise<void> {
  let leaked = excess();
  for (let look = 1; leaked.length > 0 && look < LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    leaked = excess();
  }
  if (leaked.length > 0) throw new Error(`Leaked: ${leaked.join(", ")}`);
}

interface Snapshot {
  readonly descriptors: Map<string, number>;
  readonly workers: Set<Worker>;
}

function snapshot(): Snapshot {
  return { descriptors: openDescriptors(), workers: new Set(workers.keys()) };
}

function excessOver(before: Snapshot): string[] {
  const leaked: string[] = [];
  for (const [target, count] of openDescriptors()) {
    const more = count - (before.descriptors.get(target) ?? 0);
    if (more > 0) leaked.push(more === 1 ? target : `${target} (${more} times)`);
  }
  for (const [worker, name] of workers) {
    if (!before.workers.has(worker)) leaked.push(`worker "${name}"`);
  }
  return leaked;
}

/** How often each file, socket or pipe is open in this process. */
function openDescriptors(): Map<string, number> {
  const open = new Map<string, number>();
  for (const { name } of [...Deno.readDirSync("/proc/self/fd")]) {
    let target: string;
    try {
      target = Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch (error) {
      // The descriptor that read the folder is closed by now.
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    if (!BENIGN.test(target)) open.set(target, (open.get(target) ?? 0) + 1);
  }
  return open;
}
