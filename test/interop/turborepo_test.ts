/** Real Turborepo, plain and with signed artifacts. */
import { buildsAnyway, buildsTwice } from "../helpers/real_builds.ts";
import { turborepo } from "../helpers/tools/turborepo.ts";

Deno.test("Turborepo takes the second workspace's task from the cache", () =>
  buildsTwice(turborepo(false)));

Deno.test("Turborepo verifies the signatures that come back, also behind a preflight", () =>
  buildsTwice(turborepo(true, ["--preflight"])));

Deno.test("Turborepo builds whatever the server suffers from", (t) =>
  buildsAnyway(turborepo(true), t));
