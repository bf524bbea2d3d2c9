/** Real Maven with its build cache extension: a password after the challenge, `Expect` on every PUT. */
import assert from "node:assert/strict";
import { startIllServer } from "../helpers/ill_server.ts";
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { maven } from "../helpers/tools/maven.ts";

Deno.test("Maven takes the second project's jar from the cache, byte for byte", () =>
  buildsTwice(maven));

Deno.test("Maven builds whatever the server suffers from", (t) => buildsAnyway(maven, t));

Deno.test("an upload that announces itself is told to go on at once", async () => {
  await using server = startIllServer({ trouble: "internal" });
  const { hostname, port } = new URL(server.url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const head = "PUT /maven/v1.2/g/a/0/buildinfo.xml HTTP/1.1\r\nhost: 127.0.0.1\r\n" +
    `authorization: Basic ${btoa(`ci:${server.token}`)}\r\n` +
    "expect: 100-continue\r\ncontent-length: 5\r\n\r\n";
  await connection.write(new TextEncoder().encode(head));
  const buffer = new Uint8Array(1024);
  const read = async () => {
    const count = await connection.read(buffer);
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  };
  assert.match(await read(), /^HTTP\/1\.1 100 Continue\r\n/);
  await connection.write(new TextEncoder().encode("hello"));
  assert.match(await read(), /^HTTP\/1\.1 201 /);
});
