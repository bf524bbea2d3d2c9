import assert from "node:assert/strict";
import { Secret } from "../../core/secret.ts";
import { parseToken } from "../../core/token.ts";
import { TOKEN } from "../../test/helpers/hostile_server.ts";
import { carries, localToken } from "./local_token.ts";

Deno.test("a local token looks like the real one, names its server, and shares nothing else with it", () => {
  const real = parseToken(TOKEN);
  const local = parseToken(localToken(new Secret(TOKEN)).reveal());
  assert.ok(real?.type === "issued" && local?.type === "issued");
  assert.deepEqual(local.serverKey, real.serverKey);
  assert.notEqual(local.id, real.id);
  assert.notDeepEqual(local.secret.reveal(), real.secret.reveal());
});

Deno.test("a local token for a brought one is none that a server issues, and no two are the same", () => {
  const brought = new Secret("x".repeat(40));
  const [one, two] = [localToken(brought).reveal(), localToken(brought).reveal()];
  assert.equal(parseToken(one)?.type, "brought");
  assert.notEqual(one, two);
});

Deno.test("carries() knows a token however a tool sends it, and nothing that is nearly one", () => {
  const token = localToken(new Secret(TOKEN));
  const text = token.reveal();
  const other = new Secret(TOKEN);
  for (const header of [`Bearer ${text}`, `bearer  ${text}`, `Basic ${btoa(`me:${text}`)}`]) {
    assert.ok(carries(header, [token]), header);
    assert.ok(carries(header, [other, token]), header);
    assert.ok(!carries(header, [other]), header);
  }
  const wrong = [
    null,
    "",
    text,
    "Bearer ",
    `Bearer ${text.slice(0, -1)}`,
    `Bearer ${text}A`,
    `Basic ${text}`,
  ];
  for (const header of wrong) {
    assert.ok(!carries(header, [token]), String(header));
  }
});
