/** What the load tests do with a real server, beside loading it. */
import assert from "node:assert/strict";

/** As `startServer` gives it. */
export interface Reached {
  readonly url: string;
  readonly adminToken: string;
}

/** The port of a server. */
export function portOf({ url }: Reached): number {
  return Number(new URL(url).port);
}

/** One request by the runtime's own client; its answer with the body as text. */
export async function ask(
  { url, adminToken }: Reached,
  [method, target]: readonly [method: string, target: string],
  body?: Uint8Array<ArrayBuffer>,
): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> {
  const headers = { authorization: `Bearer ${adminToken}` };
  const answer = await fetch(url + target, { method, headers, body: body ?? null });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** A PUT that must go well. */
export async function put(server: Reached, target: string, body: Uint8Array<ArrayBuffer>) {
  const { status, text } = await ask(server, ["PUT", target], body);
  assert.ok(status === 200 || status === 201, `PUT ${target}: ${status} ${text}`);
}

/** Waits until `good`, asking every `everyMs`; fails after `ms`. */
export async function until(
  good: () => Promise<boolean> | boolean,
  { ms, why, everyMs = 50 }: {
    readonly ms: number;
    readonly why: string;
    readonly everyMs?: number;
  },
): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end;) {
    if (await good()) return;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  assert.fail(`never: ${why}`);
}
