/** A store that lost its tokens says so: whoever was let in or shut out is known no more. */
import assert from "node:assert/strict";
import { tempDir } from "../helpers/temp.ts";
import { openStore } from "./world.ts";

Deno.test("a store whose auth.sqlite was deleted tells of it once, in log and stats", async () => {
  await using dir = await tempDir();
  const starts: { alarms: number; quarantined: number }[] = [];
  const start = async () => {
    const lines: string[] = [];
    await using engine = await openStore(dir.path, lines);
    const alarms = lines.filter((line) => line.startsWith("ALARM") && line.includes("auth.sqlite"));
    const { quarantined } = await engine.stats();
    starts.push({ alarms: alarms.length, quarantined: Number(quarantined) });
  };
  await start();
  await start();
  for (const { name } of [...Deno.readDirSync(dir.path)]) {
    if (name.startsWith("auth.sqlite") || name === "admin.token") await Deno.remove(dir.join(name));
  }
  await start();
  await start();
  const quiet = { alarms: 0, quarantined: 0 };
  assert.deepEqual(starts, [quiet, quiet, { alarms: 1, quarantined: 1 }, quiet]);
});
