/** Brings a newer Maven than Debian's, through Debian's, from Maven Central. */
import { ROOT } from "./run_steps.ts";

/** A Maven that reads MAVEN_ARGS and that the build cache extension is made for. */
export const MAVEN_VERSION = "3.9.11";

/**
 * Brings Maven into `.cache/maven` if it is not there, and resolves with the path of its program.
 * Needs `mvn` and `unzip`.
 *
 * @throws {Error} if it cannot be fetched or unpacked
 */
export async function mavenProgram(): Promise<string> {
  const home = `${ROOT}/.cache/maven`;
  const program = `${home}/apache-maven-${MAVEN_VERSION}/bin/mvn`;
  try {
    await Deno.stat(program);
    return program;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(home, { recursive: true });
  console.log(`installing with Maven: Maven ${MAVEN_VERSION}`);
  await run(home, [
    "mvn",
    "-q",
    "-B",
    "dependency:copy",
    `-Dartifact=org.apache.maven:apache-maven:${MAVEN_VERSION}:zip:bin`,
    `-DoutputDirectory=${home}`,
  ]);
  await run(home, ["unzip", "-q", "-o", `${home}/apache-maven-${MAVEN_VERSION}-bin.zip`]);
  return program;
}

async function run(cwd: string, [program = "", ...args]: readonly string[]): Promise<void> {
  const child = new Deno.Command(program, { args, cwd, stdin: "null" });
  const { success, stdout, stderr } = await child.output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(`Cannot run ${program}: ${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}
