/**
 * docs/openapi.json held against a running server by schemathesis, which makes requests of its own
 * from it: right ones, wrong ones, at the edges.
 */
import assert from "node:assert/strict";
import { fromFileUrl, ROOT } from "../helpers/paths.ts";
import { pipInstall } from "../helpers/pip.ts";
import { run, startServer } from "../helpers/real_server.ts";
import { tempDir } from "../helpers/temp.ts";

const PACKAGE = "schemathesis==4.32.5";
const EXAMPLES = Deno.env.get("VITTE_FUZZ_EXAMPLES") ?? "10";
const HOME = `${ROOT}/.cache/${PACKAGE}`;
const PROGRAM = `${HOME}/bin/schemathesis`;

/**
 * All checks but one. Left out: that what fits the description is always taken. A well-formed digest
 * need not be that of the body, and a cursor that looks like one need not be ours.
 */
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "negative_data_rejection",
  "missing_required_header",
  "unsupported_method",
  "allow_header_conformance",
  "use_after_free",
  "ensure_resource_availability",
  "ignored_auth",
];

Deno.test("schemathesis finds nothing against docs/openapi.json", async () => {
  if (await Deno.stat(PROGRAM).then(() => false, () => true)) await pipInstall(HOME, PACKAGE);
  await using dir = await tempDir();
  await using server = await startServer(dir.join("store"));
  const ran = await run([
    "python3",
    PROGRAM,
    "run",
    fromFileUrl("../../docs/openapi.json"),
    ...["--url", server.url, "--header", `Authorization: Bearer ${server.adminToken}`],
    ...["--checks", CHECKS.join(","), "--phases", "examples,coverage,fuzzing"],
    ...["--max-examples", EXAMPLES, "--seed", "1", "--continue-on-failure", "--warnings", "off"],
    // The one medium that it can make no bodies for; test/fuzz has the parser of it.
    ...["--exclude-path", "/v1/blobs/batch"],
  ], { cwd: dir.path, env: { PYTHONPATH: HOME, NO_COLOR: "1", HOME: dir.path } });
  const summary = ran.stdout.slice(ran.stdout.indexOf("= SUMMARY"));
  console.info(summary);
  assert.equal(ran.code, 0, ran.stdout.slice(0, 20_000));
  assert.match(summary, /Tested: \d\d/);
  assert.doesNotMatch(server.log(), /internal error|TypeError|Uncaught/);
});
