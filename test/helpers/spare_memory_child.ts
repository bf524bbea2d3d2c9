/** A process that leaves much dead memory between living pieces, and what it has before and after a trim. */
import { openTrim } from "../../app/spare_memory.ts";

using trim = openTrim();
const dead: ArrayBuffer[] = [];
const alive: ArrayBuffer[] = [];
for (let n = 0; n < 2000; n++) {
  dead.push(new Uint8Array(60 * 1024).fill(1).buffer);
  alive.push(new Uint8Array(1024).fill(1).buffer);
}
for (const buffer of dead) buffer.transfer(0);
const before = Deno.memoryUsage().rss;
await trim!.run();
const after = Deno.memoryUsage().rss;
console.log(JSON.stringify({ before, after, alive: alive.length }));
