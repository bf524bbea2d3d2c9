import assert from "node:assert/strict";
import { relativeLinks, undocumented } from "./check_docs.ts";

Deno.test("relativeLinks() finds links to files and leaves out web, fragments and code", () => {
  const text = [
    "[a](docs/a.md) [b](b.md#part) [c](https://example.org/c.md) [d](#d) `[e](e.md)`",
    '![f](f.png "title")',
    "```",
    "[g](g.md)",
    "```",
    "[h]: ../h.md",
  ].join("\n");
  assert.deepEqual(relativeLinks(text), ["docs/a.md", "b.md", "f.png", "../h.md"]);
});

Deno.test("undocumented() names symbols without JSDoc and accepts one documented declaration", () => {
  const at = { location: { filename: "a.ts", line: 3 } };
  const symbols = [
    { name: "bare", declarations: [at] },
    { name: "empty", declarations: [{ ...at, jsDoc: { doc: " " } }] },
    { name: "fine", declarations: [at, { ...at, jsDoc: { doc: "Does." } }] },
  ];
  const found = undocumented({ nodes: { "mod.ts": { symbols } } });
  assert.deepEqual(found.map((line) => line.split(":")[0]), ["bare", "empty"]);
  assert.match(found[0]!, /a\.ts:4/);
});
