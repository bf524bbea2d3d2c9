import assert from "node:assert/strict";
import { parsePath } from "../../protocol/path.ts";
import { ADAPTERS } from "../adapters/adapter_list.ts";
import type { Route } from "../exchange.ts";
import { findRoute } from "./find_route.ts";
import { NATIVE_ROUTES } from "./native_routes.ts";

const OPENAPI = new URL("../../docs/openapi.json", import.meta.url);
const VERBS = ["get", "head", "put", "post", "delete", "options", "patch", "trace"];
const ROUTES: readonly Route[] = [...NATIVE_ROUTES, ...ADAPTERS.flatMap(({ routes }) => routes)];

interface Operation {
  readonly operationId: string;
  readonly security?: unknown[];
  readonly description: string;
  readonly responses: Record<string, unknown>;
}
type Paths = Record<string, Record<string, Operation>>;

function documented(): Paths {
  return JSON.parse(Deno.readTextFileSync(OPENAPI)).paths;
}

Deno.test("docs/openapi.json has every route and no other", () => {
  const paths = documented();
  const inTable = ROUTES.flatMap(({ pattern, methods }) =>
    Object.keys(methods).map((method) => `${method} ${pattern}`)
  );
  const inDocument = Object.entries(paths).flatMap(([pattern, item]) =>
    Object.keys(item).filter((name) => VERBS.includes(name))
      .map((name) => `${name.toUpperCase()} ${pattern}`)
  );
  assert.deepEqual(inDocument.sort(), inTable.sort());
});

Deno.test("docs/openapi.json says which verb a route needs, and which routes need no token", () => {
  const paths = documented();
  for (const route of ROUTES) {
    for (const [method, action] of Object.entries(route.methods)) {
      const operation = paths[route.pattern]?.[method.toLowerCase()];
      assert.ok(operation, `${method} ${route.pattern}`);
      assert.equal(operation.operationId, `${route.name}.${method.toLowerCase()}`);
      assert.equal(operation.security !== undefined, route.open ?? false, route.name);
      if (action.verb) assert.match(operation.description, new RegExp(`\`${action.verb}\``));
    }
  }
});

Deno.test("docs/openapi.json refers to nothing that it lacks", () => {
  const text = Deno.readTextFileSync(OPENAPI);
  const document = JSON.parse(text);
  for (const [, pointer = ""] of text.matchAll(/"\$ref": "#\/([^"]+)"/g)) {
    const found = pointer.split("/").reduce((at, part) => at?.[part], document);
    assert.ok(found, pointer);
  }
});

Deno.test("findRoute leads each documented path to its own route", () => {
  for (const route of ROUTES) {
    const path = route.pattern.replace("{digest}", "ab".repeat(31) + "00")
      .replaceAll(/\{(action|output)\}/g, "ab".repeat(31) + "00")
      .replace("/ac/{key}", `/ac/${"ab".repeat(31)}00`)
      .replace("/ccache/{key}", `/ccache/${"0".repeat(40)}`)
      .replace("/gradle/{key}", `/gradle/${"0".repeat(32)}`)
      .replace("/maven/{key}", "/maven/v1.2/g/a/0/buildinfo.xml").replace(/\{\w+\}/, "x");
    for (const lead of ["", "/ns/team"]) {
      const match = findRoute(parsePath(lead + path), new Headers());
      assert.equal(match?.route.name, route.name, path);
    }
  }
});

Deno.test("routes that need no token are the two that are told, and change nothing", () => {
  const open = ROUTES.filter((route) => route.open);
  assert.deepEqual(open.map(({ name }) => name).sort(), ["healthz", "identity"]);
  for (const { methods } of open) {
    for (const method of Object.keys(methods)) assert.match(method, /^(GET|HEAD)$/);
  }
});

Deno.test("every route that changes something needs a verb that may", () => {
  for (const { name, methods, publicRead, tool } of ROUTES) {
    for (const [method, action] of Object.entries(methods)) {
      if (method === "PUT") assert.equal(action.verb, "write", name);
      if (method === "DELETE") assert.match(action.verb ?? "", /^(write|invalidate|admin)$/, name);
      if (name.startsWith("token") || name.startsWith("admin")) assert.equal(action.verb, "admin");
    }
    if (publicRead) assert.notEqual(tool, "native");
  }
});
