import assert from "node:assert/strict";
import { isKind } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { fakeEnvironment } from "../../test/helpers/fake_environment.ts";
import { tempDir } from "../../test/helpers/temp.ts";
import type { TempDir } from "../../test/helpers/temp.ts";
import { KnownServers } from "./known_servers.ts";
import { originOfUrl, resolveStore } from "./resolve_store.ts";
import type { StoreName } from "./resolve_store.ts";

const TEXT = `[remote-cache]
url = "https://repo.example/team"
token = "\${VITTE_CI}"
backend = "s3"
`;

async function repository(dir: TempDir, text = TEXT): Promise<string> {
  await Deno.mkdir(dir.join("repo/.vitte"), { recursive: true });
  await Deno.writeTextFile(dir.join("repo/.vitte/config.toml"), text);
  return dir.join("repo");
}

Deno.test("resolveStore(): flags over environment over files over logins, each with who said so", async (t) => {
  await using dir = await tempDir();
  const cwd = await repository(dir);
  await Deno.writeTextFile(dir.join("t1"), "of-the-flag");
  await Deno.writeTextFile(dir.join("t2"), "of-the-file-variable");
  const HOME = dir.join("home");
  const known = new KnownServers(fakeEnvironment({ env: { HOME } }));
  const login = (origin: string) =>
    known.logIn({ origin, url: origin, token: new Secret(`of ${origin}`), since: 1 });
  login("https://login.example");

  interface Case {
    readonly name?: Partial<StoreName>;
    readonly env?: Record<string, string>;
    readonly cwd?: string;
    /** URL or folder, token, trust. */
    readonly want: [string | undefined, string | undefined, string];
  }
  const all = { VITTE_CACHE_URL: "https://env.example", VITTE_TOKEN: "of-the-variable" };
  const table: Record<string, Case> = {
    "--dir beats all, and has no token": {
      name: { dir: "/store" },
      env: all,
      want: ["/store", undefined, "user"],
    },
    "--url beats VITTE_CACHE_URL and the file": {
      name: { url: "https://flag.example" },
      env: all,
      want: ["https://flag.example", "of-the-variable", "user"],
    },
    "VITTE_CACHE_URL beats the file": {
      name: { url: all.VITTE_CACHE_URL },
      env: all,
      want: ["https://env.example", "of-the-variable", "user"],
    },
    "the file beats the login": {
      env: { VITTE_CI: "of-the-named-variable" },
      want: ["https://repo.example/team", "of-the-named-variable", "repository"],
    },
    "the file without its variable": {
      want: ["https://repo.example/team", undefined, "repository"],
    },
    "the only login, with its token": {
      cwd: dir.path,
      want: ["https://login.example", "of https://login.example", "user"],
    },
    "a login's token for its own origin only": {
      name: { url: "https://login.example:444" },
      cwd: dir.path,
      want: ["https://login.example:444", undefined, "user"],
    },
    "--token-file beats VITTE_TOKEN_FILE and VITTE_TOKEN": {
      name: { url: "https://flag.example", tokenFile: dir.join("t1") },
      env: { ...all, VITTE_TOKEN_FILE: dir.join("t2") },
      want: ["https://flag.example", "of-the-flag", "user"],
    },
    "VITTE_TOKEN beats the variable that the file names": {
      env: { VITTE_TOKEN: "of-the-variable", VITTE_CI: "of-the-named-variable" },
      want: ["https://repo.example/team", "of-the-variable", "repository"],
    },
  };
  for (const [title, one] of Object.entries(table)) {
    await t.step(title, async () => {
      const environment = fakeEnvironment({ env: { HOME, ...one.env }, cwd: one.cwd ?? cwd });
      const settings = await resolveStore(environment, { namespace: "default", ...one.name });
      const { dir: folder, url, token, trust } = settings;
      const where = (folder ?? url)?.value;
      assert.deepEqual([where, token?.value.reveal(), trust], one.want);
      assert.ok(!Deno.inspect(settings, { depth: 9 }).includes("of-the"), "a token shows itself");
    });
  }
  await t.step(
    "a login makes the repository's server the user's, also below another path",
    async () => {
      login("https://repo.example");
      const settings = await resolveStore(fakeEnvironment({ env: { HOME }, cwd }), {
        namespace: "default",
      });
      assert.equal(settings.trust, "user");
      assert.equal(settings.token?.value.reveal(), "of https://repo.example");
      assert.deepEqual(settings.backend?.value, "s3");
    },
  );
  await t.step("of several logins none is taken", async () => {
    const settings = await resolveStore(fakeEnvironment({ env: { HOME }, cwd: dir.path }), {
      namespace: "default",
    });
    assert.deepEqual([settings.url, settings.logins.length], [undefined, 2]);
  });
});

Deno.test("resolveStore() reads no configuration for --dir, and insists on a whole one otherwise", async () => {
  await using dir = await tempDir();
  const cwd = await repository(dir, "[remote-cache]\nurl = 1\n");
  const environment = fakeEnvironment({ cwd });
  assert.equal((await resolveStore(environment, { namespace: "n", dir: "/x" })).found, undefined);
  for (const url of [undefined, "https://flag.example"]) {
    const name = { namespace: "n", ...(url === undefined ? {} : { url }) };
    await assert.rejects(
      resolveStore(environment, name),
      (thrown) => isKind(thrown, "invalid_argument"),
    );
  }
});

Deno.test("resolveStore() never takes insecure from a file", async () => {
  await using dir = await tempDir();
  const cwd = await repository(dir);
  const resolve = (insecure: boolean) =>
    resolveStore(fakeEnvironment({ cwd }), { namespace: "default", insecure });
  assert.deepEqual([(await resolve(false)).insecure, (await resolve(true)).insecure], [
    false,
    true,
  ]);
});

Deno.test("resolveStore() goes on where the working folder has been removed", async () => {
  const environment = {
    ...fakeEnvironment(),
    get cwd(): string {
      throw new Deno.errors.NotFound("No such file or directory");
    },
  };
  const settings = await resolveStore(environment, { namespace: "n", url: "https://a.example" });
  assert.deepEqual([settings.url?.value, settings.found], ["https://a.example", undefined]);
});

Deno.test("originOfUrl() is scheme, host and port, however the URL is written", () => {
  for (
    const url of [
      "https://Cache.Example",
      "https://cache.example:443/team/",
      "https://cache.example/",
    ]
  ) {
    assert.equal(originOfUrl(url), "https://cache.example");
  }
  assert.equal(originOfUrl("http://[::1]:80"), "http://[::1]");
  assert.throws(() => originOfUrl("https://u:p@cache.example"));
});
