/** The first words to the go command, which waits for them: long before the rest is loaded. */
import type { Environment } from "../environment.ts";

/** The name of the command. */
export const GO_COMMAND = "go-cacheprog";

/** The first line: go waits for it before it asks anything. */
const GREETING = `${JSON.stringify({ ID: 0, KnownCommands: ["get", "put", "close"] })}\n`;

const greeted = new WeakSet<Environment>();

/** Greets the go command if that is who started this process, once. */
export async function greetGo(environment: Environment): Promise<void> {
  const [command, ...words] = environment.args;
  if (command !== GO_COMMAND || greeted.has(environment)) return;
  if (words.includes("--help") || words.includes("-h")) return;
  greeted.add(environment);
  await environment.stdout(GREETING);
}
