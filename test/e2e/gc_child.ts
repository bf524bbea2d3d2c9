/** Collects what nothing points to in a store, an hour from now: `gc_child.ts DIR`. */
import { openEngine } from "../../app/compose.ts";
import { systemClock } from "../../core/clock.ts";

const HOUR = 3_600_000;
const clock = { ...systemClock, now: () => systemClock.now() + HOUR };
await using engine = await openEngine(Deno.args[0]!, { clock, maxSize: 64 * 1024 * 1024 });
console.log("collecting");
console.log(JSON.stringify(await engine.maintenance.gc()));
