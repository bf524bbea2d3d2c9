/** Real Rush: a write that is refused would end `rush build` with exit code 1. */
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { rush } from "../helpers/tools/rush.ts";

Deno.test("Rush takes the second checkout's project from the cache", () => buildsTwice(rush));

Deno.test("Rush builds whatever the server suffers from", (t) => buildsAnyway(rush, t));
