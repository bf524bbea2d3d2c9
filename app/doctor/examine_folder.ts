/** Looks at a folder of this machine. */
import { diskRoom } from "../disk_room.ts";
import type { Environment } from "../environment.ts";
import type { Opened } from "../opened.ts";
import { openNamedStore } from "../open_named_store.ts";
import type { Findings } from "./finding.ts";
import { failedBy, ok } from "./finding.ts";
import { checkRoundTrip, judgeDisk, judgeTotals } from "./store_checks.ts";

/** Opens the store in `dir`, tries it and closes it. */
export async function examineFolder(
  environment: Environment,
  { dir, namespace }: { readonly dir: string; readonly namespace: string },
  findings: Findings,
): Promise<void> {
  const { clock, interrupted: signal } = environment;
  let opened: Opened;
  try {
    opened = await openNamedStore(environment, { dir, namespace });
  } catch (thrown) {
    return void findings.add("open the store", failedBy(thrown));
  }
  await using store = opened;
  findings.add("open the store", ok(store.where));
  await findings.look("totals", signal, async () => judgeTotals(await store.stats()));
  await findings.look("write and read back", signal, async () => {
    const { verbs } = await store.whoami();
    return await checkRoundTrip({ cache: store.cache, namespace, verbs, clock, signal });
  });
  await findings.look("disk", signal, () => Promise.resolve(judgeDisk(diskRoom(dir))));
}
