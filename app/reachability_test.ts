import assert from "node:assert/strict";
import { describeReach, isLoopback, urlOf } from "./reachability.ts";

Deno.test("isLoopback knows the addresses that only this machine reaches", () => {
  for (const host of ["127.0.0.1", "127.9.8.7", "localhost", "LOCALHOST", "::1", "[::1]"]) {
    assert.equal(isLoopback(host), true, host);
  }
  const others = [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "127.0.0.1.example.com",
    "example.com",
    "localhost.example.com",
    "128.0.0.1",
    "",
  ];
  for (const host of others) assert.equal(isLoopback(host), false, host);
});

Deno.test("urlOf gives an address that a client on this machine can use", () => {
  const plain = (hostname: string) => urlOf({ hostname, port: 8080, tls: false });
  assert.equal(plain("127.0.0.1"), "http://127.0.0.1:8080");
  assert.equal(plain("0.0.0.0"), "http://127.0.0.1:8080");
  assert.equal(plain("::"), "http://[::1]:8080");
  assert.equal(plain("fe80::1"), "http://[fe80::1]:8080");
  assert.equal(urlOf({ hostname: "cache", port: 443, tls: true }), "https://cache:443");
});

Deno.test("describeReach warns of plain HTTP exactly where others can listen", () => {
  const reach = (hostname: string, tls: boolean) => describeReach({ hostname, port: 1, tls });
  for (const tls of [true, false]) {
    const { notes, warnings } = reach("127.0.0.1", tls);
    assert.deepEqual(warnings, []);
    assert.equal(notes[0], "only this machine can reach it");
    assert.match(notes[1]!, /--host 0\.0\.0\.0/);
  }
  for (const host of ["0.0.0.0", "::"]) {
    assert.match(reach(host, true).notes[0]!, /^every machine/);
    assert.deepEqual(reach(host, true).warnings, []);
    assert.match(reach(host, false).warnings.join(), /unencrypted/);
  }
  const one = reach("10.1.2.3", false);
  assert.match(one.notes[0]!, /route to 10\.1\.2\.3 /);
  assert.match(one.notes[1]!, /token create/);
  assert.equal(one.warnings.length, 1);
});
