/** Real Nx. It fails over every answer that it does not expect, so this is the strictest of all. */
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { nx } from "../helpers/tools/nx.ts";

Deno.test("Nx takes the second workspace's task from the cache", () => buildsTwice(nx));

Deno.test("Nx builds whatever the server suffers from", (t) => buildsAnyway(nx, t));
