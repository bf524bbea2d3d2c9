/** The real go command through `go-cacheprog`: two machines, one server. */
import assert from "node:assert/strict";
import { GoMachine } from "../helpers/go_machine.ts";
import type { GoRan } from "../helpers/go_machine.ts";
import { LARGE_MODULE, SMALL_MODULE } from "../helpers/go_toolchain.ts";
import { startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

/** A busy machine must not make an outage of a pause. */
const PATIENT = ["--wait", "30s"];

function told(name: string, { facts, seconds, compiled }: GoRan): void {
  console.info(`${name}: ${seconds.toFixed(1)} s, ${compiled} compiled, ${JSON.stringify(facts)}`);
}

Deno.test("go builds and tests on a second machine without compiling anything", async (t) => {
  await using folder = await tempDir();
  await using daemon = await startServer(folder.join("store"));
  const server = { url: daemon.url, token: daemon.adminToken };
  const make = (name: string, source = "src") =>
    GoMachine.make(folder.join(name), LARGE_MODULE, {
      server,
      words: PATIENT,
      source: folder.join(source),
    });
  const [one, two, three] = [await make("one"), await make("two"), await make("three", "else/src")];

  await t.step("the first machine compiles, and sends all of it", async () => {
    const built = await one.build();
    told("first build", built);
    assert.equal(built.code, 0, built.said);
    assert.ok(built.compiled > 50, `${built.compiled} compiled`);
    assert.equal(built.facts.uploaded, built.facts.puts);
    const tested = await one.go("test", "./...");
    told("first test", tested);
    assert.equal(tested.code, 0, tested.said);
    assert.equal(tested.facts.uploaded, tested.facts.puts);
  });
  await t.step("the second machine has everything from the server", async () => {
    const built = await two.build();
    told("second build", built);
    assert.equal(built.code, 0, built.said);
    assert.equal(built.compiled, 0);
    assert.equal(built.facts.local_hits, 0);
    // go keeps no program in a cache of others: it is linked anew.
    assert.deepEqual([built.facts.misses, built.facts.puts], [1, 1]);
    const tested = await two.go("test", "-x", "./...");
    told("second test", tested);
    assert.equal(tested.code, 0, tested.said);
    assert.equal(tested.compiled, 0);
    assert.equal(tested.facts.misses, 0, JSON.stringify(tested.facts));
    assert.equal(tested.said.match(/\(cached\)/g)?.length, 2, tested.said);
  });
  await t.step("both programs are the same to the byte", async () => {
    assert.deepEqual(await Deno.readFile(two.program), await Deno.readFile(one.program));
    assert.equal(await two.say(), '{"sum":6}\nDONE\n');
  });
  await t.step("another path compiles nothing either, go only looks into its folders", async () => {
    const built = await three.build();
    told("build in another folder", built);
    assert.equal(built.code, 0, built.said);
    assert.equal(built.compiled, 0);
    assert.ok(built.facts.misses <= 4, "three folders and the program");
    assert.deepEqual(await Deno.readFile(three.program), await Deno.readFile(one.program));
  });
  await t.step("what is here needs no server", async () => {
    await daemon.stop();
    const tested = await two.go("test", "./...");
    told("third test, without the server", tested);
    assert.equal(tested.code, 0, tested.said);
    assert.equal(tested.facts.local_hits, tested.facts.gets);
    assert.deepEqual([tested.facts.outages, tested.facts.remote_hits], [0, 0]);
  });
  await t.step("a damaged local file is found out and built anew", async () => {
    const { path, size } = await largestFile(`${two.cacheDir}/outputs`);
    const bytes = await Deno.readFile(path);
    bytes[Math.floor(size / 2)]! ^= 1;
    await Deno.writeFile(path, bytes);
    await Deno.remove(two.program);
    const built = await two.build();
    told("a damaged file", built);
    assert.equal(built.code, 0, built.said);
    assert.equal(built.facts.damaged, 1);
    assert.deepEqual(await Deno.readFile(two.program), await Deno.readFile(one.program));
  });
});

Deno.test("two go commands at once share a folder", async () => {
  await using folder = await tempDir();
  const machine = await GoMachine.make(folder.join("one"), SMALL_MODULE);
  const [build, vet] = await Promise.all([machine.build(), machine.go("vet", "./...")]);
  assert.equal(build.code, 0, build.said);
  assert.equal(vet.code, 0, vet.said);
  assert.equal(await machine.say(), "hello\n");
  assert.deepEqual([...Deno.readDirSync(`${machine.cacheDir}/new`)], []);
  const again = await machine.build();
  assert.deepEqual([again.compiled, again.facts.misses, again.facts.damaged], [0, 0, 0]);
});

async function largestFile(dir: string): Promise<{ path: string; size: number }> {
  let largest = { path: "", size: -1 };
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    const found = isDirectory
      ? await largestFile(path)
      : { path, size: (await Deno.stat(path)).size };
    if (found.size > largest.size) largest = found;
  }
  return largest;
}
