/** `/v1/tokens`: for administrators. */
import { newTokenJson, tokenInfoJson, tokenRights } from "../../protocol/convert.ts";
import { parseJson, TokenCreateSchema } from "../../protocol/json.ts";
import type { Answer } from "../answer.ts";
import { jsonAnswer } from "../answer.ts";
import type { Action, Exchange, Route } from "../exchange.ts";
import { readJsonText } from "../upload.ts";

/** Routes of tokens. */
export const TOKEN_ROUTES: readonly Route[] = [
  {
    name: "tokens",
    tool: "native",
    pattern: "/v1/tokens",
    methods: { GET: admin(list), HEAD: admin(list), POST: admin(create) },
  },
  {
    name: "token",
    tool: "native",
    pattern: "/v1/tokens/{name}",
    methods: { DELETE: admin(revoke) },
  },
  {
    name: "token.rotate",
    tool: "native",
    pattern: "/v1/tokens/{name}/rotate",
    methods: { POST: admin(rotate) },
  },
];

function admin(run: Action["run"]): Action {
  return { verb: "admin", storeWide: true, run };
}

async function list({ deps }: Exchange): Promise<Answer> {
  return jsonAnswer({ tokens: (await deps.tokens.list()).map(tokenInfoJson) });
}

async function create(exchange: Exchange): Promise<Answer> {
  const text = await readJsonText(exchange);
  const input = parseJson(TokenCreateSchema, text, "the token");
  const by = exchange.principal.name;
  const made = await exchange.deps.tokens.create(input.name, tokenRights(input), { by });
  return jsonAnswer(newTokenJson(made), 201);
}

async function revoke({ deps, subject, principal }: Exchange): Promise<Answer> {
  const info = await deps.tokens.revoke(subject, { by: principal.name });
  return jsonAnswer({ info: tokenInfoJson(info) });
}

async function rotate({ deps, subject, principal }: Exchange): Promise<Answer> {
  return jsonAnswer(newTokenJson(await deps.tokens.rotate(subject, { by: principal.name })), 201);
}
