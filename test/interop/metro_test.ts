/** Real Metro: chunked uploads, and a bundle that fails over any read but 200 and 404. */
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { metro } from "../helpers/tools/metro.ts";

Deno.test("Metro takes the second project's modules from the cache", () => buildsTwice(metro));

Deno.test("Metro bundles whatever the server suffers from", (t) => buildsAnyway(metro, t));
