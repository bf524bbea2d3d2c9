/** The order of the system calls of a server that is written to: what no other test can see. */
import assert from "node:assert/strict";
import { SOURCE_PROGRAM, startServer } from "../helpers/real_server.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { needProgram, skippable } from "../helpers/skip.ts";
import { parseTrace } from "../helpers/strace.ts";
import type { TracedCall } from "../helpers/strace.ts";
import { listFiles, tempDir } from "../helpers/temp.ts";

const TRACED =
  "openat,openat2,rename,renameat,renameat2,fsync,fdatasync,link,linkat,unlink,unlinkat," +
  "write,writev,pwrite64,pwritev,ftruncate,sendto,sendmsg";

/** Small enough that segments are 1 MiB, and that a few seconds of writing fill it. */
const MAX_SIZE = "16MiB";

const SYNC = /^(fsync|fdatasync)$/;
const WRITE = /^(write|writev|pwrite|pwritev)$/;

const isAnswer = (name: string, args: string) =>
  /^(sendto|sendmsg|write|writev)$/.test(name) && args.includes('"HTTP/1.1 ');

interface Traced {
  readonly calls: readonly TracedCall[];
  /** Names of log segments; all others are of data. */
  readonly logs: ReadonlySet<string>;
}

/** Runs `work` on a server under strace. */
async function traced(dir: string, work: (server: RealServer) => Promise<void>): Promise<Traced> {
  await using temp = await tempDir();
  const trace = temp.join("trace");
  const strace = ["strace", "-f", "-y", "-s", "32", "--seccomp-bpf", "-e", `trace=${TRACED}`];
  const program = [...strace, "-o", trace, ...SOURCE_PROGRAM];
  const args = ["--threads", "1", "--max-size", MAX_SIZE, "--access-log", "none"];
  const server = await startServer(dir, { program, args });
  try {
    await work(server);
  } finally {
    // Not strace itself: it would let go of the server and end.
    const [, pid] = /process (\d+)/.exec(await Deno.readTextFile(`${dir}/lock`))!;
    Deno.kill(Number(pid), "SIGTERM");
    for (let turn = 0; turn < 500 && await isAlive(pid!); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await server.stop();
  }
  const calls = parseTrace(await Deno.readTextFile(trace), `${dir}/`, isAnswer);
  return { calls, logs: await logNames(dir) };
}

async function isAlive(pid: string): Promise<boolean> {
  return await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
}

async function logNames(dir: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const path of await listFiles(dir)) {
    const name = /([0-9a-f]{32})(\.seg)?$/.exec(path)?.[1];
    if (name && (await Deno.readFile(`${dir}/${path}`))[10] === 2) names.add(name);
  }
  return names;
}

async function put(server: RealServer, key: string, size: number): Promise<void> {
  const body = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
  const bytes = new Uint8Array(size);
  // Not the same chunk again and again.
  for (let at = 0; at < size; at += body.length) {
    bytes.set(body.subarray(0, size - at), at);
    bytes[at] = at >> 16;
  }
  const response = await fetch(`${server.url}/v1/entries/${key}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${server.adminToken}` },
    body: bytes,
  });
  await response.body?.cancel();
  assert.ok(response.ok, `PUT ${key}: ${response.status}`);
}

function shown(calls: readonly TracedCall[]): string {
  return calls.map(({ name, paths, args }) => `${name} ${paths.join(" ") || args}`).join("\n");
}

const need = () => needProgram("strace");

skippable(
  "serve answers a PUT after data and log were synced, and seals and evicts in a safe order",
  { need },
  async (t) => {
    await using folder = await tempDir();
    const dir = folder.join("store");
    const trace = await traced(dir, async (server) => {
      for (let n = 0; n < 5; n++) await put(server, `small-${n}`, 1000);
      for (let n = 0; n < 65; n++) await put(server, `large-${n}`, 350_000);
    });
    await t.step("nothing is unsynced when an answer begins", () => assertAnswers(trace, 70));
    await t.step("data is synced before the log names it", () => assertDataFirst(trace));
    await t.step("a pack has its name after its bytes, and loses the old one last", () => {
      assertSeals(trace.calls);
    });
    await t.step(
      "a pack is deleted after the tables forgot it",
      () => assertEvictions(trace.calls),
    );
  },
);

const SEGMENT = /^active\/([0-9a-f]{32})\.seg$/;

/** Calls about segments that are being appended, without what a seal does to one that is ended. */
function* appends({ calls, logs }: Traced): Generator<TracedCall & { segment: string }> {
  const current = { data: "", log: "" };
  for (const call of calls) {
    const segment = SEGMENT.exec(call.paths[0] ?? "")?.[1];
    if (segment === undefined) continue;
    const area = logs.has(segment) ? "log" : "data";
    if (call.name === "open" && call.args.includes("O_EXCL")) current[area] = segment;
    if (current[area] === segment) yield { ...call, segment };
  }
}

/** Every write to a segment is followed by a sync of it before the next answer begins. */
function assertAnswers(trace: Traced, least: number): void {
  const answers = trace.calls.filter(({ name, args }) =>
    isAnswer(name, args) && args.includes("HTTP/1.1 201")
  );
  assert.ok(answers.length >= least, `only ${answers.length} answers were seen`);
  const all = [...appends(trace)];
  let synced = 0;
  let before = -1;
  for (const answer of answers) {
    // A sync counts if it was over before the answer began.
    const since = all.filter(({ ended }) => ended > before && ended < answer.begun);
    const dirty = new Set<string>();
    for (const { name, segment } of since) {
      if (WRITE.test(name)) dirty.add(segment);
      else if (SYNC.test(name) && dirty.delete(segment)) synced++;
    }
    assert.deepEqual([...dirty], [], `not synced before an answer:\n${shown(since)}`);
    before = answer.begun;
  }
  assert.ok(synced >= 2 * answers.length, `${synced} syncs for ${answers.length} answers`);
}

/** Between the write of a log record and the data before it there is a sync of that data. */
function assertDataFirst(trace: Traced): void {
  const dirty = new Set<string>();
  let looked = 0;
  const all = [...appends(trace)];
  for (const [at, { name, segment }] of all.entries()) {
    if (SYNC.test(name)) dirty.delete(segment);
    if (!WRITE.test(name)) continue;
    if (!trace.logs.has(segment)) dirty.add(segment);
    else {
      looked++;
      const seen = shown(all.slice(Math.max(0, at - 20), at + 1));
      assert.deepEqual([...dirty], [], `data not synced before the log:\n${seen}`);
    }
  }
  assert.ok(looked >= 70, `only ${looked} writes to the log were seen`);
}

/** Where the first call is that fits and comes after `from`; fails if there is none. */
function after(calls: readonly TracedCall[], from: number, name: RegExp, path: string): number {
  const at = calls.findIndex((call, n) =>
    n > from && name.test(call.name) && call.paths.at(-1) === path
  );
  assert.ok(
    at >= 0,
    `no ${name} of ${path} after\n${shown(calls.slice(Math.max(0, from - 5), from + 40))}`,
  );
  return at;
}

function assertSeals(calls: readonly TracedCall[]): void {
  let seals = 0;
  for (const [at, { name, paths }] of calls.entries()) {
    const pack = name === "rename" ? paths.at(-1)! : "";
    if (!pack.startsWith("packs/data/")) continue;
    seals++;
    const file = `active/${pack.slice(-32)}.seg`;
    const before = calls.slice(0, at);
    const written = before.findLastIndex((c) => WRITE.test(c.name) && c.paths[0] === file);
    const synced = before.findIndex((c, n) =>
      n > written && SYNC.test(c.name) && c.paths[0] === file
    );
    assert.ok(written >= 0 && synced > written, `${file} is synced before it is ${pack}`);
    const folder = after(calls, at, SYNC, pack.slice(0, -33));
    const rows = after(calls, folder, SYNC, "packs.sqlite-wal");
    const gone = after(calls, at, /^unlink$/, file);
    assert.ok(rows < gone, `${file} goes after the tables know ${pack}`);
  }
  assert.ok(seals >= 5, `only ${seals} segments were sealed`);
}

function assertEvictions(calls: readonly TracedCall[]): void {
  let evictions = 0;
  for (const [at, { name, paths }] of calls.entries()) {
    const pack = name === "unlink" ? paths.at(-1)! : "";
    if (!pack.startsWith("packs/data/")) continue;
    evictions++;
    const before = calls.slice(0, at);
    const written = before.findLastIndex((c) =>
      WRITE.test(c.name) && c.paths[0] === "packs.sqlite-wal"
    );
    const synced = before.findLastIndex((c) =>
      SYNC.test(c.name) && c.paths[0] === "packs.sqlite-wal"
    );
    assert.ok(written >= 0 && synced > written, `the tables forget ${pack} before it is deleted`);
    const sealed = before.findLastIndex((c) => c.name === "rename" && c.paths.at(-1) === pack);
    assert.ok(synced > sealed);
    after(calls, at, SYNC, pack.slice(0, -33));
  }
  assert.ok(evictions >= 3, `only ${evictions} packs were evicted`);
}

skippable(
  "serve takes no request before tables and index are rebuilt and hold all of the log",
  { need },
  async () => {
    await using folder = await tempDir();
    const dir = folder.join("store");
    {
      await using server = await startServer(dir, { args: ["--max-size", "none"] });
      for (let n = 0; n < 30; n++) await put(server, `key-${n}`, 2000);
    }
    for (const name of ["packs.sqlite", "index.sqlite"]) await Deno.remove(`${dir}/${name}`);
    const { calls, logs } = await traced(dir, async (server) => {
      for (let n = 0; n < 30; n++) {
        const headers = { authorization: `Bearer ${server.adminToken}` };
        const response = await fetch(`${server.url}/v1/entries/key-${n}`, { headers });
        assert.equal((await response.arrayBuffer()).byteLength, 2000);
      }
    });
    const [log] = logs;
    const [first, index] = [
      calls.findIndex(({ name, args }) => isAnswer(name, args)),
      calls.findIndex(({ name, paths }) => WRITE.test(name) && paths[0] === "index.sqlite-wal"),
    ];
    const address = after(calls, 0, /^open$/, "address");
    const read = after(calls, index, /^open$/, `active/${log}.seg`);
    const applied = after(calls, read, WRITE, "index.sqlite-wal");
    assert.ok(index >= 0 && read < applied && applied < address && address < first);
    const between = calls.slice(address, first);
    const late = between.filter(({ name, paths }) =>
      WRITE.test(name) && paths[0] === "index.sqlite-wal"
    );
    assert.deepEqual(late, [], "the index was whole before the address was told");
  },
);
