/** `/v1/pins`, `/v1/pin`, `/v1/unpin`: entries that nothing evicts. */
import { reachOf } from "../../core/insight.ts";
import type { PinRequest } from "../../core/pins.ts";
import { parseJson } from "../../protocol/json.ts";
import { PinInputSchema } from "../../protocol/room_json.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import { clientSignal } from "../client_signal.ts";
import type { Exchange, Route } from "../exchange.ts";
import { readJsonText } from "../upload.ts";

/**
 * Routes of pins. Who may write may pin: what he writes takes room as well, and pins of all
 * together are limited.
 */
export const PIN_ROUTES: readonly Route[] = [
  {
    name: "pins",
    tool: "native",
    pattern: "/v1/pins",
    methods: { GET: { verb: "read", run: list }, HEAD: { verb: "read", run: list } },
  },
  {
    name: "pin",
    tool: "native",
    pattern: "/v1/pin",
    methods: { POST: { verb: "write", run: pin } },
  },
  {
    name: "unpin",
    tool: "native",
    pattern: "/v1/unpin",
    methods: { POST: { verb: "write", run: unpin } },
  },
];

async function list({ deps, namespace, principal }: Exchange): Promise<Answer> {
  const { scopes } = reachOf(principal);
  return jsonAnswer({ entries: await deps.pinning.pins(namespace, scopes) });
}

async function pin(exchange: Exchange): Promise<Answer> {
  return jsonAnswer({ entries: await exchange.deps.pinning.pin(await requestOf(exchange)) });
}

async function unpin(exchange: Exchange): Promise<Answer> {
  return jsonAnswer({ entries: await exchange.deps.pinning.unpin(await requestOf(exchange)) });
}

async function requestOf(exchange: Exchange): Promise<PinRequest> {
  const { namespace, principal, request } = exchange;
  const input = parseJson(PinInputSchema, await readJsonText(exchange), "the request");
  return {
    ...input,
    namespace,
    // As for what is written and removed: a token's own scope, an administrator's are all.
    scopes: principal.verbs.includes("admin") ? undefined : [principal.scope],
    by: principal.name,
    signal: clientSignal(request),
  };
}
