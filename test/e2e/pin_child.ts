/** Pins and unpins entries one after the other and tells of each that is acknowledged: `pin_child.ts DIR`. */
import { openEngine } from "../../app/compose.ts";
import { systemClock } from "../../core/clock.ts";

const [dir = "", first = "0"] = Deno.args;
await using engine = await openEngine(dir, { clock: systemClock, maxSize: 16 * 1024 * 1024 });
const ask = { namespace: "default", scopes: undefined, by: "child" };
for (let n = Number(first);; n++) {
  const keys = [`key-${n % 20}`];
  const what = n % 40 < 20 ? "pin" : "unpin";
  await Deno.stdout.write(new TextEncoder().encode(`begin ${what} ${keys}\n`));
  await engine.pinning[what]({ ...ask, keys });
  await Deno.stdout.write(new TextEncoder().encode(`done ${what} ${keys}\n`));
}
