/** Commands against servers that lie: what they print, what they leave behind, what they give away. */
import assert from "node:assert/strict";
import { fakeEnvironment } from "../../test/helpers/fake_environment.ts";
import { DIGEST, endless, LARGE, TOKEN } from "../../test/helpers/hostile_server.ts";
import { assertNoLeaks } from "../../test/helpers/leaks.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import { digestOf } from "../../core/digest.ts";
import { main } from "../main.ts";

interface Lie {
  /** The body of the blob, whatever was asked for. */
  body(): Response;
  /** What `get` says. */
  readonly says: RegExp;
}

const HALF = LARGE.slice(0, LARGE.length / 2);
const WRONG = LARGE.map((byte, at) => at === LARGE.length - 1 ? byte ^ 1 : byte);
const length = { "content-length": String(LARGE.length) };

const LIES: Readonly<Record<string, Lie>> = {
  "wrong bytes": { body: () => new Response(WRONG), says: /its bytes have another digest/ },
  "an endless body": {
    body: () => new Response(endless(LARGE.slice(0, 65_536))),
    says: /does not say how long it is/,
  },
  "a body longer than it says": {
    body: () => new Response(endless(LARGE.slice(0, 65_536)), { headers: length }),
    says: /its bytes have another digest/,
  },
  "a body that is shorter than the entry": {
    body: () => new Response(HALF, { headers: { "content-length": String(HALF.length) } }),
    says: /its bytes have another digest/,
  },
  "a success without a body": {
    body: () => new Response(null),
    says: /its bytes have another digest/,
  },
};

/** The record of an entry that names {@linkcode LARGE}. */
const RECORD = {
  namespace: "default",
  scope: "main",
  protocol: "kv",
  key: "k",
  content: "opaque",
  blobs: [{ digest: digestOf(LARGE), size: LARGE.length }],
  tags: [],
  writer: "w",
  created: 1,
  used: 1,
  cost: 0,
  inputs: {},
  headers: {},
  sequence: 1,
  stamp: { epoch: 1, hlc: "1", device: "d", value_hash: "h" },
};

/** Answers as `answer` says, while `work` runs; tells the headers that came. */
async function serving(
  answer: (request: Request) => Response | Promise<Response>,
  work: (url: string) => Promise<void>,
): Promise<Headers[]> {
  const seen: Headers[] = [];
  await assertNoLeaks(async () => {
    const stop = new AbortController();
    const server = Deno.serve({
      port: 0,
      hostname: "127.0.0.1",
      signal: stop.signal,
      onListen() {},
      onError: () => new Response(null, { status: 500 }),
    }, (request) => {
      seen.push(request.headers);
      return answer(request);
    });
    try {
      await work(`http://127.0.0.1:${server.addr.port}`);
    } finally {
      stop.abort();
      await server.finished;
    }
  });
  return seen;
}

for (const [name, lie] of Object.entries(LIES)) {
  Deno.test(`lying server: ${name} fails a get, and the old file stays`, async () => {
    await using dir = await tempDir();
    const file = dir.join("out");
    await Deno.writeTextFile(file, "the old one");
    const answer = ({ url }: Request) =>
      url.includes("/info/") || url.includes("/entries") ? Response.json(RECORD) : lie.body();
    await serving(answer, async (url) => {
      const args = ["get", "k", "-o", file, "--url", url];
      const environment = fakeEnvironment({ args, env: { VITTE_TOKEN: TOKEN } });
      assert.equal(await main(environment), 1, environment.out);
      assert.match(environment.err, lie.says);
      assert.ok(!environment.err.includes("Q".repeat(43)), environment.err);
    });
    assert.equal(await Deno.readTextFile(file), "the old one");
    assert.deepEqual([...Deno.readDirSync(dir.path)].map((item) => item.name), ["out"]);
  });
}

Deno.test("lying server: a redirect to another host is not followed, credentials are dropped", async () => {
  await using dir = await tempDir();
  const file = dir.join("file");
  await Deno.writeFile(file, LARGE);
  const carried = await serving(() => Response.json(RECORD), async (other) => {
    // The same machine by another name is another origin, too.
    const targets = [other, other.replace("127.0.0.1", "localhost")];
    for (const target of targets) {
      for (const status of [301, 302, 303, 307, 308]) {
        const answer = ({ url }: Request) => {
          const { pathname, search } = new URL(url);
          return new Response(null, { status, headers: { location: target + pathname + search } });
        };
        await serving(answer, async (url) => {
          const commands = [["get", "k"], ["put", "k", file], ["whoami"], ["ls"], ["login", url]];
          for (const words of commands) {
            const args = words[0] === "login" ? words : [...words, "--url", url];
            const env = { VITTE_TOKEN: TOKEN, HOME: dir.join("home") };
            const environment = fakeEnvironment({ args, env });
            assert.equal(await main(environment), 1, words.join(" "));
            assert.match(environment.err, /it sends us to http:.*, and a token is not carried on/);
          }
        });
      }
    }
  });
  assert.deepEqual(carried, [], "nobody came to the other host");
});

Deno.test("lying server: what it calls itself is one line, and drives no terminal", async () => {
  const answer = ({ url }: Request) =>
    url.includes("whoami")
      ? Response.json({
        id: "x",
        name: "\x1b[2Jroot\nexit 0",
        verbs: ["read"],
        namespaces: ["\u202e*"],
        scope: "main\r",
        read_scopes: ["main"],
        expires: null,
        backend: "fs\x07",
      })
      : Response.json({ digest: DIGEST });
  await serving(answer, async (url) => {
    const env = { VITTE_TOKEN: TOKEN, VITTE_CACHE_URL: url };
    const environment = fakeEnvironment({ args: ["whoami"], env });
    assert.equal(await main(environment), 0, environment.err);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(environment.out, /[\x00-\x09\x0b-\x1f\u202e]/);
    assert.match(environment.out, /^name {8}\\u\{1b\}\[2Jroot\\u\{a\}exit 0$/m);
  });
});
