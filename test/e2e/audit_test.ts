/** After an incident: 10,000 replacements and deletions, what a bad writer left, and kills. */
import assert from "node:assert/strict";
import { seededRandom } from "../helpers/random.ts";
import type { RealServer } from "../helpers/real_server.ts";
import { runCli, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

/** Changes in all; a tenth are deletions, and about as many write a deleted key anew. */
const CHANGES = 11_500;
const KEYS = 1000;
const LANES = 16;
const random = seededRandom("VITTE_AUDIT_SEED");

/** A line of the audit, as `--json` prints it. */
interface Line {
  readonly kind: string;
  readonly at: string;
  readonly writer: string;
  readonly key?: string;
  readonly before?: string | null;
  readonly after?: string | null;
}

Deno.test(`audit has each of 10,000 replacements and deletions, and rm what a writer left`, async () => {
  await using folder = await tempDir();
  const dir = `${folder.path}/store`;
  await using server = await startServer(dir);
  const cli = commandLine(server);
  const tokens = new Map<string, string>();
  for (const name of ["good", "bad"]) {
    tokens.set(
      name,
      (await cli("token", "create", name, "--allow", "read,write,invalidate")).trim(),
    );
  }
  const now = new Map<string, { digest: string; writer: string } | undefined>();
  const wanted: string[] = [];
  const write = async (key: string, writer: string, text: string) => {
    const answer = await ask(server, "PUT", `/v1/entries/${key}`, tokens.get(writer)!, text);
    const { entry } = await answer.json();
    const before = now.get(key);
    now.set(key, { digest: entry.blobs[0].digest, writer });
    return { before: before?.digest, after: entry.blobs[0].digest as string };
  };
  await inLanes(KEYS, async (n) => void await write(`app/${n}`, "good", `first ${n}`));
  let bad = "";
  // Each lane has keys of its own, so that the order of changes of a key is known.
  await inLanes(CHANGES, async (n) => {
    const key = `app/${(n % LANES) + LANES * random.integer(0, Math.floor(KEYS / LANES))}`;
    const writer = random.next() < 0.3 ? "bad" : "good";
    if (n === CHANGES / 2) bad = new Date().toISOString();
    const stands = now.get(key);
    if (stands && random.next() < 0.1) {
      await (await ask(server, "DELETE", `/v1/entries/${key}`, tokens.get(writer)!)).body?.cancel();
      now.set(key, undefined);
      wanted.push(`delete ${key} ${writer} ${stands.digest}`);
      return;
    }
    const { before, after } = await write(key, writer, `${n} ${random.next()}`);
    wanted.push(
      before === undefined
        ? `put ${key} ${writer} ${after}`
        : `replace ${key} ${writer} ${before} ${after}`,
    );
  });
  const lines = parse(await cli("audit", "--json", "--kind", "put,replace,delete"));
  const told = lines.map(({ kind, key, writer, before, after }) =>
    [kind, key, writer, before, after].filter((part) => part !== null).join(" ")
  );
  assert.equal(told.length, KEYS + CHANGES);
  assert.deepEqual(told.slice(KEYS).sort(), wanted.toSorted(), "each change is there once");
  const counted = told.slice(KEYS).filter((line) => !line.startsWith("put ")).length;
  assert.ok(counted >= 10_000, `${counted} replacements and deletions`);
  const made = parse(await cli("audit", "--json", "--kind", "token"));
  assert.deepEqual(made.map(({ writer }) => writer), ["local", "admin", "admin"]);

  const listed = async (...filter: string[]) =>
    (JSON.parse(await cli("ls", "--json", ...filter)) as { key: string }[]).map(({ key }) => key);
  const all = await listed();
  const doomed = await listed("--writer", "bad", "--since", bad);
  assert.ok(doomed.length > 10, `${doomed.length} of ${all.length} are from the bad writer`);
  const filter = ["--writer", "bad", "--since", bad, "--json"];
  const dry = JSON.parse(await cli("rm", "--dry-run", ...filter));
  assert.deepEqual([dry.removed, dry.matched, dry.keys], [0, doomed.length, doomed]);
  assert.deepEqual(await listed(), all, "a dry run removes none");
  const gone = JSON.parse(await cli("rm", ...filter));
  assert.deepEqual([gone.removed, gone.keys], [doomed.length, doomed]);
  assert.deepEqual(await listed(), all.filter((key) => !doomed.includes(key)), "exactly those");
  const after = parse(await cli("audit", "--json", "--kind", "delete", "--writer", "admin"));
  assert.deepEqual(after.map(({ key }) => key).sort(), doomed.toSorted(), "and the audit has them");
  console.info(
    `${told.length} changes audited, ${counted} of them replacements and deletions, ` +
      `${doomed.length} of ${all.length} entries removed by filter`,
  );
});

Deno.test("audit has every acknowledged change once over SIGKILLs", async () => {
  await using folder = await tempDir();
  const dir = `${folder.path}/store`;
  const acknowledged = new Set<string>();
  const sent = new Set<string>();
  for (let life = 0; life < 6; life++) {
    const server = await startServer(dir);
    const stop = new AbortController();
    const lanes = Array.from({ length: 8 }, async (_, lane) => {
      for (let n = 0; !stop.signal.aborted; n++) {
        const name = `life ${life} lane ${lane} write ${n}`;
        const digest = await sha256(name);
        sent.add(digest);
        try {
          const answer = await ask(server, "PUT", `/v1/entries/k${lane}`, server.adminToken, name);
          await answer.body?.cancel();
          acknowledged.add(digest);
        } catch (thrown) {
          // The server was killed under this request: nothing is promised about its write.
          if (!(thrown instanceof TypeError)) throw thrown;
          return;
        }
      }
    });
    await new Promise((resolve) => setTimeout(resolve, random.integer(100, 500)));
    await server.kill();
    stop.abort();
    await Promise.all(lanes);
    if (life % 2 === 1) await Deno.remove(`${dir}/index.sqlite`);
  }
  const rows = parse((await runCli(["audit", "--dir", dir, "--json"])).stdout);
  const written = rows.map(({ after }) => after).filter((after) => typeof after === "string");
  assert.equal(new Set(written).size, written.length, "no change is there twice");
  for (const digest of acknowledged) assert.ok(written.includes(digest), "an acknowledged one is");
  for (const digest of written) assert.ok(sent.has(digest), "nothing is there that nobody sent");
  const times = rows.filter(({ kind }) => kind !== "token").map(({ at }) => at);
  assert.deepEqual(times, times.toSorted(), "in order");
  assert.ok(acknowledged.size > 50, `only ${acknowledged.size} were acknowledged`);
  console.info(`6 kills, ${acknowledged.size} acknowledged changes, each in the audit once`);
});

function commandLine(server: RealServer) {
  return async (...args: string[]): Promise<string> => {
    const env = { VITTE_CACHE_URL: server.url, VITTE_TOKEN: server.adminToken };
    const ran = await runCli(args, { env });
    assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stderr}`);
    return ran.stdout;
  };
}

function parse(lines: string): Line[] {
  return lines.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function inLanes(count: number, work: (n: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: LANES }, async (_, lane) => {
    for (let n = lane; n < count; n += LANES) await work(n);
  }));
}

async function ask(
  server: RealServer,
  method: string,
  path: string,
  token: string,
  body?: string,
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(server.url + path, { method, headers, body: body ?? null });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response;
}

async function sha256(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${new Uint8Array(bytes).toHex()}`;
}
