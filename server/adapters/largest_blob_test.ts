/** `--max-blob-size` holds on every way in: by the length alone, and while the body is read. */
import assert from "node:assert/strict";
import { digestHex, digestOf } from "../../core/digest.ts";
import { createHandlerFixture } from "../../test/helpers/http_fixture.ts";
import { openPut } from "../../test/helpers/transfers.ts";
import { noise, placeOf } from "../../test/suites/http_api_blobs.ts";
import { ADAPTERS } from "./adapter_list.ts";

const LIMIT = 100_000;
const BODY = noise(LIMIT + 1);
const HEX = digestHex(digestOf(BODY));

/** A place of each route that takes a body of any size, and the status that its tool is shown. */
const PLACES: Readonly<Record<string, readonly [target: string, status: number]>> = {
  "bazel.ac": [`/bazel/ac/${"a".repeat(64)}`, 413],
  "bazel.cas": [`/bazel/cas/${HEX}`, 413],
  "ccache.entry": [`/ccache/${"a".repeat(40)}`, 413],
  "gradle.entry": [`/gradle/${"a".repeat(32)}`, 413],
  "maven.file": [`/maven/v1.2/g/a/${"a".repeat(16)}/buildinfo.xml`, 413],
  "turborepo.artifact": ["/v8/artifacts/1", 413],
  "nx.entry": ["/nx/v1/cache/1", 403],
  "rush.entry": ["/rush/k", 200],
  "please.entry": ["/please/k", 200],
  "metro.entry": ["/metro/k", 200],
  "plain.entry": ["/plain/k", 200],
  "go.put": [`/go/${"a".repeat(64)}/${HEX}`, 204],
  "native entry": ["/v1/entries/k", 413],
  "native blob": [placeOf(BODY), 413],
};

Deno.test("every adapter that takes bodies is in the table of its limits", () => {
  const routes = ADAPTERS.flatMap((adapter) => adapter.routes).filter((route) => route.methods.PUT);
  const known = Object.keys(PLACES).filter((name) => !name.startsWith("native")).sort();
  assert.deepEqual(routes.map((route) => route.name).sort(), known);
});

for (const [name, [target, status]] of Object.entries(PLACES)) {
  Deno.test(`${name} keeps nothing above --max-blob-size, and reads no body that says so`, async () => {
    await using server = createHandlerFixture({ limits: { maxBlobSize: LIMIT, maxSize: 0 } });
    const told = openPut(server, target, { "content-length": `${LIMIT + 1}` });
    const answer = await told.answer;
    await answer.body?.cancel();
    assert.equal(answer.status, status);
    assert.equal(told.pulled, 0, "the body was read");
    const chunked = await server.send("PUT", target, { body: BODY, chunked: true });
    assert.equal(chunked.status, status, chunked.text);
    for (const refused of [answer, chunked]) {
      const reason = refused.headers.get("vitte-miss-reason");
      assert.equal(reason, status === 413 ? null : "too_large");
    }
    assert.equal([...server.cache.calls.keys()].includes("link"), false);
    assert.equal(server.counters.get("bytes_in_flight"), 0);
    const largest = noise(LIMIT);
    const hex = digestHex(digestOf(largest));
    const fits = await server.send("PUT", target.replace(HEX, hex), { body: largest });
    // What is no action result is refused for that, and not for its size.
    if (name === "bazel.ac") return assert.equal(fits.status, 400);
    assert.ok(fits.status < 300, `${fits.status} ${fits.text}`);
    assert.equal(fits.headers.get("vitte-miss-reason"), null);
  });
}
