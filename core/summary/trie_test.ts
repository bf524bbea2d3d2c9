/** Summaries against a naive one, whatever comes and goes in whatever order. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { toHex } from "../digest.ts";
import type { Bytes } from "../digest.ts";
import { concat } from "../bytes.ts";
import { ItemPages } from "./item_pages.ts";
import { SummarySet } from "./summary_set.ts";

const EMPTY_ROOT = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";

/** The definition, as it stands above `SummaryTrie`, of hex ids. */
function naive(ids: readonly string[], prefix = ""): Bytes | undefined {
  const inside = [...new Set(ids)].filter((id) => id.startsWith(prefix)).sort();
  if (inside.length === 0 && prefix !== "") return undefined;
  if (inside.length <= 64) return sha(Uint8Array.fromHex("00" + inside.join("")));
  const digits = [..."0123456789abcdef"].map((digit) => naive(inside, prefix + digit));
  const bits = digits.reduce((sum, child, digit) => sum + (child ? 1 << digit : 0), 0);
  const head = new Uint8Array([1, bits & 0xff, bits >> 8]);
  return sha(concat([head, ...digits.filter((child) => child !== undefined)]));
}

function sha(bytes: Uint8Array): Bytes {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** The n-th id of a world of even ones; the first 16 bytes of a hash. */
function id(n: number, prefix = ""): string {
  const hex = createHash("sha256").update(String(n)).digest("hex");
  return (prefix + hex).slice(0, 32);
}

const bytesOf = (hex: string) => Uint8Array.fromHex(hex);

/** Few ids in few places, so that what is added is removed again, and leaves are full and split. */
const place = fc.constantFrom("", "0", "0", "abc", "f".repeat(31));
const anyId = fc.tuple(fc.nat(150), place).map(([n, prefix]) => id(n, prefix));
const steps = fc.array(
  fc.record({
    do: fc.constantFrom("add" as const, "add" as const, "delete" as const, "root" as const),
    ids: fc.array(anyId, { maxLength: 90 }),
  }),
  { maxLength: 12 },
);

Deno.test("SummarySet: any list of calls leaves the root of a fresh one, and the naive one's", () => {
  fc.assert(
    fc.property(steps, (list) => {
      const set = new SummarySet();
      const model = new Set<string>();
      for (const step of list) {
        for (const one of step.ids) {
          if (step.do === "add") {
            assert.equal(set.add(bytesOf(one)), !model.has(one));
            model.add(one);
          } else if (step.do === "delete") {
            assert.equal(set.delete(bytesOf(one)), model.delete(one));
          }
        }
        if (step.do === "root") set.root();
      }
      const all = [...model];
      assert.equal(set.size, all.length);
      assert.equal(toHex(set.root()), toHex(naive(all)!));
      const fresh = SummarySet.of(concat(all.reverse().map(bytesOf)));
      assert.equal(toHex(fresh.root()), toHex(set.root()));
    }),
    { numRuns: 150 },
  );
});

Deno.test("SummarySet: counts, children and ids of any prefix are the naive ones", () => {
  const ids = fc.uniqueArray(anyId, { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(ids, fc.nat(32), fc.nat(), (all, digits, which) => {
      const set = SummarySet.of(concat(all.map(bytesOf)));
      const prefix = all[which % all.length]!.slice(0, digits);
      const inside = all.filter((one) => one.startsWith(prefix)).sort();
      assert.equal(set.count(prefix), inside.length);
      assert.equal(toHex(set.items(prefix)), inside.join(""));
      const children = set.children(prefix).map((child) => child && toHex(child));
      const wanted = [..."0123456789abcdef"].map((digit) => {
        const child = digits < 32 ? naive(all, prefix + digit) : undefined;
        return child && toHex(child);
      });
      assert.deepEqual(children, wanted);
    }),
    { numRuns: 60 },
  );
});

Deno.test("SummarySet: after() goes through all ids in order", () => {
  const all = Array.from({ length: 2000 }, (_, n) => id(n)).sort();
  const set = SummarySet.of(concat(all.map(bytesOf)));
  let last: Uint8Array | undefined;
  let seen = "";
  while (true) {
    const part = set.after(last, 77);
    if (part.length === 0) break;
    seen += toHex(part);
    last = part.subarray(part.length - 16);
  }
  assert.equal(seen, all.join(""));
});

Deno.test("SummarySet: roots that must never change", () => {
  const root = (ids: string[]) => toHex(SummarySet.of(concat(ids.map(bytesOf))).root());
  const many = (count: number, prefix = "") =>
    Array.from({ length: count }, (_, n) => id(n, prefix));
  assert.equal(toHex(new SummarySet().root()), EMPTY_ROOT);
  assert.equal(root(many(1)), "a27a8514b161d7941fe92bd9f29088933063790a291a4c86acf474b277c48c52");
  assert.equal(root(many(64)), "48bf815041481d12f235f145251ee9f919f0ac4e043ca65708f150f1171dc3e2");
  assert.equal(root(many(65)), "c569848577254550657f7094af19c5715c9ef5459c65903e8fc4dbfcb51767c3");
  assert.equal(
    root(many(5000)),
    "9451caea42d2194705e679d068842958afd1baf26b1789afbcccb5ca4e124487",
  );
  assert.equal(
    root(many(100, "abcdef0123456789abcdef01234567")),
    "d509eedc56ba4d43b7b1c090c29f545e37aa8bb362a8f6eefa3c319ee9a91865",
  );
});

Deno.test("SummarySet: 10,000 ids that share 24 bits split deeper", () => {
  const all = Array.from({ length: 10_000 }, (_, n) => id(n, "abcdef"));
  const set = SummarySet.of(concat(all.map(bytesOf)));
  const grown = new SummarySet();
  for (const one of all) grown.add(bytesOf(one));
  assert.equal(toHex(grown.root()), toHex(set.root()));
  assert.equal(set.count("abcdef"), 10_000);
  assert.equal(set.children("abcdef").filter((child) => child).length, 16);
  for (const one of all.slice(10)) set.delete(bytesOf(one));
  assert.equal(toHex(set.root()), toHex(naive(all.slice(0, 10))!));
});

Deno.test("SummarySet: one of ten items is small, one that was emptied is the empty one", () => {
  const set = new SummarySet();
  for (let n = 0; n < 10; n++) set.add(bytesOf(id(n)));
  set.root();
  assert.ok(set.nodeBytes < 512, `${set.nodeBytes} bytes`);
  for (let n = 0; n < 5000; n++) set.add(bytesOf(id(n)));
  set.root();
  for (let n = 0; n < 5000; n++) set.delete(bytesOf(id(n)));
  assert.equal(toHex(set.root()), EMPTY_ROOT);
});

Deno.test("ItemPages: takes little more than its ids, also when most of them went", () => {
  const pages = new ItemPages();
  for (let n = 0; n < 20_000; n++) pages.add(bytesOf(id(n)));
  assert.ok(pages.bytes < 1.2 * 20_000 * 16, `${pages.bytes} bytes`);
  for (let n = 0; n < 20_000; n++) if (n % 100 > 0) pages.delete(bytesOf(id(n)));
  assert.equal(pages.size, 200);
  assert.ok(pages.bytes < 2 * 200 * 16, `${pages.bytes} bytes`);
});
