/** Pins of a server far away. The token decides the reach. */
import { bytesSource } from "../core/bytes.ts";
import type { PinnedEntry, Pinning, PinRequest } from "../core/pins.ts";
import { PinsSchema } from "../protocol/room_json.ts";
import type { PinInput } from "../protocol/room_json.ts";
import { nativePath } from "../protocol/url_space.ts";
import { answerOf } from "./answer.ts";
import type { HttpClient } from "./http.ts";

/** Pinning over HTTP; it needs the verb `write`. */
export class RemotePins implements Pinning {
  readonly #http: HttpClient;

  /** Use `connectCache(…).pinning`. */
  constructor(http: HttpClient) {
    this.#http = http;
  }

  pin(request: PinRequest): Promise<PinnedEntry[]> {
    return this.#post("pin", request);
  }
  unpin(request: PinRequest): Promise<PinnedEntry[]> {
    return this.#post("unpin", request);
  }
  async pins(namespace: string): Promise<PinnedEntry[]> {
    const path = nativePath(namespace, "pins");
    const json = await this.#http.askJson({ method: "GET", path, idempotent: true });
    return answerOf(PinsSchema, json).entries;
  }

  async #post(
    what: "pin" | "unpin",
    { namespace, keys, tag, protocol, signal }: PinRequest,
  ): Promise<PinnedEntry[]> {
    const input: PinInput = { ...(keys ? { keys: [...keys] } : {}), tag, protocol };
    const json = await this.#http.askJson({
      method: "POST",
      path: nativePath(namespace, what),
      headers: { "content-type": "application/json" },
      body: bytesSource(new TextEncoder().encode(JSON.stringify(input))),
      // A second unpin would tell that nothing was there.
      idempotent: what === "pin",
      signal,
    });
    return answerOf(PinsSchema, json).entries;
  }
}
