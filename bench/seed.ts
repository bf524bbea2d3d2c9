/** Puts there what a race reads. */
import type { Contender } from "./contender.ts";
import { keyOf } from "./keys.ts";

/** How many different keys a load of small GETs asks for. */
export const GET_KEYS = 100;

/** Puts the first {@linkcode GET_KEYS} keys of a name, each a body of its own. */
export async function seed(server: Contender, name: string, body: Uint8Array<ArrayBuffer>) {
  for (let n = 0; n < GET_KEYS; n++) {
    const own = body.slice();
    new DataView(own.buffer).setUint32(0, n);
    await put(server, keyOf(name, n), own);
  }
}

/** Puts a file. */
export async function putFile(server: Contender, key: string, file: string) {
  await put(server, key, await Deno.readFile(file));
}

/** One PUT, checked. */
async function put(server: Contender, key: string, body: Uint8Array<ArrayBuffer>) {
  const response = await fetch(`${server.url}${server.prefix}${key}`, {
    method: "PUT",
    headers: { ...server.headers, ...server.seedHeaders },
    body,
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${server.name}: PUT ${key}: ${response.status}`);
}
