/** What every real build tool must show: a second build from the cache, and never a failed one. */
import assert from "node:assert/strict";
import type { Tool } from "../../core/tools.ts";
import type { BuildCache, Illness } from "./ill_server.ts";
import { ILL, startIllServer } from "./ill_server.ts";
import { startServer } from "./real_server.ts";
import { tempDir } from "./temp.ts";

/** One build, from a workspace with no local state. */
export interface Built {
  readonly code: number;
  /** Both outputs of the tool. */
  readonly said: string;
  /** What it made; empty if it made nothing. */
  readonly out: string;
}

/** A build tool and its workspace. */
export interface RealTool {
  readonly tool: Tool;
  /** Builds `input` in `home`, an empty folder, with this cache. */
  build(home: string, cache: BuildCache, input?: string): Promise<Built>;
  /** How it says that everything came from the cache. */
  readonly hit: RegExp;
  /** How it says that something was built. */
  readonly miss: RegExp;
  /** What it is shown of these tokens and sizes is no hidden answer but 401 or 413. */
  readonly shown?: readonly Illness["trouble"][];
  /** What it must not say where the trouble was hidden. */
  readonly never?: RegExp;
}

/** Builds twice over wiped local state: first all misses, then all hits, and equal results. */
export async function buildsTwice(tool: RealTool): Promise<void> {
  await using folder = await tempDir();
  await using server = await startServer(`${folder.path}/store`);
  const cache = { url: server.url, token: server.adminToken, admin: true };
  const first = await tool.build(await fresh(folder.path, "one"), cache);
  assert.equal(first.code, 0, first.said);
  assert.match(first.said, tool.miss);
  const second = await tool.build(await fresh(folder.path, "two"), cache);
  assert.equal(second.code, 0, second.said);
  assert.match(second.said, tool.hit);
  assert.notEqual(first.out, "");
  assert.equal(second.out, first.out);
}

/** Builds with a server of every illness; none fails, and what was hidden was counted. */
export async function buildsAnyway(tool: RealTool, t: Deno.TestContext): Promise<void> {
  await using folder = await tempDir();
  const healthy = await secondsOfHealthy(tool, await fresh(folder.path, "healthy"));
  for (const [name, illness] of Object.entries(ILL)) {
    await t.step(name, async () => {
      await using server = startIllServer(illness);
      const began = performance.now();
      const built = await tool.build(await fresh(folder.path, illness.trouble), server);
      const seconds = (performance.now() - began) / 1000;
      assert.equal(built.code, 0, built.said);
      assert.notEqual(built.out, "");
      assert.ok(server.requests() > 0, "it never asked");
      const hidden = server.hidden(tool.tool)[illness.trouble] ?? 0;
      const cost = `${seconds.toFixed(1)} s (healthy: ${healthy.toFixed(1)} s)`;
      console.log(`${tool.tool} with ${name}: ${cost}, ${hidden} answers hidden`);
      const shown = tool.shown?.includes(illness.trouble) ?? false;
      assert.equal(hidden === 0, shown, JSON.stringify(server.hidden(tool.tool)));
      if (tool.never && !shown) assert.doesNotMatch(built.said, tool.never);
    });
  }
}

/** How long a build with an empty cache takes. */
async function secondsOfHealthy(tool: RealTool, home: string): Promise<number> {
  await using server = startIllServer({ trouble: "internal" });
  const began = performance.now();
  const built = await tool.build(home, server);
  assert.equal(built.code, 0, built.said);
  return (performance.now() - began) / 1000;
}

async function fresh(folder: string, name: string): Promise<string> {
  const home = `${folder}/${name}`;
  await Deno.mkdir(home);
  return home;
}

/** Writes files by their paths below `home`. */
export async function writeFiles(
  home: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const at = `${home}/${path}`;
    await Deno.mkdir(at.slice(0, at.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(at, text);
  }
}

/** The text of a file, empty if there is none. */
export async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return "";
    throw thrown;
  }
}
