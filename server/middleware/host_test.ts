import assert from "node:assert/strict";
import { allowHosts, foreignHost, foreignOrigin } from "./host.ts";

Deno.test("allowHosts lets loopback and the given names pass, whatever the port", () => {
  const allows = allowHosts(["Cache.example", "192.0.2.7", "2001:db8::1"]);
  const good = [
    "localhost",
    "LOCALHOST:80",
    "a.localhost:1",
    "127.0.0.1",
    "127.1.2.3:65535",
    "[::1]:8080",
    "cache.example",
    "CACHE.example:443",
    "cache.example.",
    "192.0.2.7:1",
    "[2001:db8::1]:1",
  ];
  for (const host of good) assert.ok(allows(host), host);
  const bad = [
    "",
    "evil.example",
    "cache.example.evil",
    "xcache.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil@localhost",
    "localhost:80:80",
    "localhost:x",
    "localhost:123456",
    "local host",
    "localhost/",
    "::1",
    "[::1",
    "[::2]",
    "192.0.2.70",
    "*",
  ];
  for (const host of bad) assert.ok(!allows(host), host);
});

Deno.test("allowHosts remembers no more than it may, and stays right", () => {
  const allows = allowHosts([]);
  for (let n = 0; n < 2000; n++) assert.ok(!allows(`h${n}.example`));
  assert.ok(allows("localhost"));
});

Deno.test("foreignOrigin refuses pages of others, and null", () => {
  const allows = allowHosts(["cache.example"]);
  for (const origin of [null, "http://localhost:5173", "https://cache.example"]) {
    assert.equal(foreignOrigin(origin, allows), undefined);
  }
  for (
    const origin of [
      "null",
      "",
      "https://evil.example",
      "cache.example",
      "file://cache.example",
      "https://cache.example/x",
    ]
  ) {
    assert.equal(foreignOrigin(origin, allows)?.kind, "permission_denied", origin);
  }
});

Deno.test("foreignHost names the flag, and repeats no nonsense in it", () => {
  assert.match(foreignHost("evil.example:80").hint ?? "", /--allowed-host evil\.example if/);
  assert.match(foreignHost("$(x) y").hint ?? "", /--allowed-host <name>/);
});
