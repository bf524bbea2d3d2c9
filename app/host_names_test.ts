import assert from "node:assert/strict";
import { hostname, networkInterfaces } from "node:os";
import { allowHosts } from "../server/middleware/host.ts";
import { ownHostNames } from "./host_names.ts";

const NONE = { publicUrl: undefined, allowedHosts: [], listen: "127.0.0.1" };

Deno.test("ownHostNames gives this machine's name and addresses, and what the operator named", () => {
  const names = ownHostNames({
    publicUrl: "https://cache.example.com:8443/below",
    allowedHosts: ["other.example.com"],
    listen: "10.9.8.7",
  });
  const wanted = ["cache.example.com", "other.example.com", "10.9.8.7", hostname()];
  for (const name of wanted) assert.ok(names.includes(name), name);
  for (const one of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
    assert.ok(names.includes(one.address.split("%")[0]!), one.address);
  }
  assert.ok(!ownHostNames(NONE).includes("cache.example.com"));
});

Deno.test("ownHostNames gives names that the server's check of Host takes, IPv6 too", () => {
  const allows = allowHosts(
    ownHostNames({ publicUrl: "http://[2001:db8::7]:80", allowedHosts: ["X.org"], listen: "::" }),
  );
  for (const host of ["[2001:db8::7]:8080", "x.org", "X.ORG:1", hostname(), "localhost:8080"]) {
    assert.equal(allows(host), true, host);
  }
  for (const host of ["evil.example.com", "", ":8080", "2001:db8::7"]) {
    assert.equal(allows(host), false, host);
  }
});
