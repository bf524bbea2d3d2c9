/** Real Gradle, as Debian packages it: the first failure would turn its cache off. */
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { gradle } from "../helpers/tools/gradle.ts";

Deno.test("Gradle takes the second project's task from the cache", () => buildsTwice(gradle));

Deno.test("Gradle builds whatever the server suffers from", (t) => buildsAnyway(gradle, t));
