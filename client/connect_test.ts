import assert from "node:assert/strict";
import { isKind } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { connectCache } from "./connect.ts";
import type { ConnectOptions } from "./connect.ts";
import { isLoopback, parseServerUrl } from "./server_url.ts";

const TOKEN = "vrc_0123456789abcdef_" + "A".repeat(43) + "_" + "Q".repeat(43);
const connect = (options: ConnectOptions) =>
  connectCache({ fetch: () => Promise.reject(new TypeError("no network")), ...options });

Deno.test("connectCache() sends no token over plain HTTP to another machine, unless told", () => {
  for (
    const host of [
      "cache.example",
      "10.0.0.1:8080",
      "127.example.com",
      "localhost.evil.org",
      "[fe80::1]",
    ]
  ) {
    assert.throws(
      () => connect({ url: `http://${host}`, token: TOKEN }),
      (thrown) => isKind(thrown, "permission_denied") && !thrown.message.includes("vrc_"),
      host,
    );
    connect({ url: `http://${host}` });
    connect({ url: `http://${host}`, token: TOKEN, insecure: true });
    connect({ url: `https://${host}`, token: TOKEN });
  }
  for (
    const host of ["localhost:80", "127.0.0.1", "127.8.9.1", "127.1", "[::1]:9", "vitte.localhost"]
  ) {
    connect({ url: `http://${host}`, token: new Secret(TOKEN) });
  }
});

Deno.test("connectCache() refuses damaged tokens, URLs with secrets, and repeats neither", () => {
  const bad: ConnectOptions[] = [
    { url: "http://localhost", token: "short" },
    { url: "http://localhost", token: TOKEN + "\n" },
    { url: "http://localhost", token: "" },
    { url: `http://user:${TOKEN}@localhost` },
    { url: `http://${TOKEN}@localhost` },
    { url: `http://localhost/?token=${TOKEN}` },
    { url: `ftp://localhost/${TOKEN}` },
    { url: TOKEN },
    { url: "http://localhost", namespace: "Not One" },
  ];
  for (const options of bad) {
    assert.throws(
      () => connect(options),
      (thrown) => isKind(thrown, "invalid_argument") && !Deno.inspect(thrown).includes("vrc_0"),
      options.url.slice(0, 12),
    );
  }
});

Deno.test("parseServerUrl() keeps a path in front and leaves the default port out of the host", () => {
  assert.deepEqual(parseServerUrl("https://Cache.Example:443/team/x/"), {
    base: "https://cache.example/team/x",
    host: "cache.example",
    exposed: false,
  });
  assert.equal(parseServerUrl("http://h:8080").base, "http://h:8080");
});

Deno.test("isLoopback() is this machine and nothing that only begins so", () => {
  for (const host of ["127.0.0.1", "localhost", "a.localhost", "[::1]"]) {
    assert.ok(isLoopback(host));
  }
  for (const host of ["127.0.0.1.nip.io", "localhost.com", "[::2]", "0.0.0.0", "128.0.0.1", ""]) {
    assert.ok(!isLoopback(host), host);
  }
});
