/** `/v1/admin`: work on the store as a whole. */
import { GcRequestSchema, parseJson, VerifyRequestSchema } from "../../protocol/json.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import { clientSignal } from "../client_signal.ts";
import type { Exchange, Route } from "../exchange.ts";
import { contentLength, readJsonText } from "../upload.ts";

/** Routes of maintenance. */
export const ADMIN_ROUTES: readonly Route[] = [
  {
    name: "admin.verify",
    tool: "native",
    pattern: "/v1/admin/verify",
    methods: { POST: { verb: "admin", storeWide: true, run: verify } },
  },
  {
    name: "admin.gc",
    tool: "native",
    pattern: "/v1/admin/gc",
    methods: { POST: { verb: "admin", storeWide: true, run: gc } },
  },
];

async function verify(exchange: Exchange): Promise<Answer> {
  const { repair } = parseJson(VerifyRequestSchema, await optionalJson(exchange), "the request");
  const signal = clientSignal(exchange.request);
  return jsonAnswer(await exchange.deps.maintenance.verify({ repair, signal }));
}

async function gc(exchange: Exchange): Promise<Answer> {
  const { dry_run } = parseJson(GcRequestSchema, await optionalJson(exchange), "the request");
  const signal = clientSignal(exchange.request);
  return jsonAnswer(await exchange.deps.maintenance.gc({ dryRun: dry_run, signal }));
}

/** No body at all stands for no wishes. */
async function optionalJson(exchange: Exchange): Promise<string> {
  const { request } = exchange;
  // A POST without either header has no body (RFC 9112, 6.3), whatever `request.body` is.
  const length = contentLength(request) ?? (request.headers.has("transfer-encoding") ? 1 : 0);
  if (length === 0) return "{}";
  return await readJsonText(exchange);
}
