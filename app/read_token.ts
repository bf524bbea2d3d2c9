/** Where a token comes from: a file that is named, else the environment. */
import { CacheError } from "../core/errors.ts";
import type { Environment } from "./environment.ts";

/**
 * The token, without the line's end; `undefined` when none is named anywhere.
 * Order: `--token-file` or VITTE_TOKEN_FILE, then VITTE_TOKEN.
 * @throws {CacheError} `invalid_argument` for a file that cannot be read or holds no single token;
 * never names the token
 */
export async function readToken(
  environment: Environment,
  file: string | undefined,
): Promise<string | undefined> {
  if (file === undefined) return environment.env("VITTE_TOKEN")?.trim() || undefined;
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (cause) {
    throw new CacheError("invalid_argument", `Cannot read the token file "${file}"`, {
      cause,
      hint: "does it exist, and may this user read it? (it should have mode 0600)",
    });
  }
  return tokenIn(text, `the token file "${file}"`);
}

/**
 * The token for `url` that a person types; `undefined` where nobody can be asked or answers.
 * @throws {CacheError} `invalid_argument` for more than one word
 */
export async function askForToken(
  environment: Environment,
  url: string,
): Promise<string | undefined> {
  const text = await environment.askSecret(`Token for ${url} (it is not shown): `);
  return text === undefined ? undefined : tokenIn(text, "what was typed");
}

/**
 * The one token in a text.
 * @throws {CacheError} `invalid_argument` naming `what` the text is, never the text
 */
export function tokenIn(text: string, what: string): string {
  const token = text.trim();
  if (token !== "" && !/\s/.test(token)) return token;
  throw new CacheError("invalid_argument", `Cannot use ${what}: want one token on one line`);
}
