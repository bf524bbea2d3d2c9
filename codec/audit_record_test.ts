import assert from "node:assert/strict";
import type { EntryChange } from "../core/audit.ts";
import { digestOf } from "../core/digest.ts";
import type { Bytes } from "../core/digest.ts";
import { isKind } from "../core/errors.ts";
import {
  decodeAuditRow,
  decodeNote,
  encodeAuditRow,
  encodeMark,
  encodeNote,
  placeOfRow,
} from "./audit_record.ts";
import { noSeal } from "./seal.ts";

const id = new Uint8Array(32).fill(3);
const digest = (text: string) => digestOf(new TextEncoder().encode(text));
const place = { hlc: 2n ** 63n + 5n, position: { segment: 7, offset: 2 ** 40 } };

const rows: EntryChange[] = [
  { kind: "put", before: undefined, after: digest("a") },
  { kind: "replace", before: digest("a"), after: digest("b") },
  { kind: "replace", before: undefined, after: undefined },
  { kind: "delete", before: digest("b"), after: undefined },
].map((change, n) => ({
  ...(change as Pick<EntryChange, "kind" | "before" | "after">),
  at: 1_700_000_000_000 + n,
  writer: "größe \u2028 \ud800",
  namespace: "default",
  scope: "pr/1",
  protocol: "kv",
  key: `"k"\0 ${n}`,
}));

Deno.test("rows and notes of the audit come back as they were written", () => {
  for (const row of rows) {
    const record = encodeAuditRow(row, { ...place, id }, noSeal);
    assert.deepEqual(decodeAuditRow(record, noSeal), row);
    assert.deepEqual(placeOfRow(record), place);
    assert.deepEqual(record.id, id);
    const { kind, at, writer, before } = row;
    const note = encodeNote({ kind, at, writer, before }, id, noSeal);
    assert.deepEqual(decodeNote(note, noSeal), { kind, at, writer, before });
  }
  assert.equal(decodeAuditRow(encodeMark(place), noSeal), undefined);
  assert.deepEqual(placeOfRow(encodeMark(place)), place);
});

Deno.test("what is no record of the audit is corrupt, and never another row", () => {
  const row = encodeAuditRow(rows[1]!, { ...place, id }, noSeal);
  const note = encodeNote({ kind: "put", at: 1, writer: "", before: undefined }, id, noSeal);
  const corrupt = (body: Bytes) =>
    assert.throws(
      () => decodeAuditRow({ kind: "audit", id, body }, noSeal),
      (error) => isKind(error, "corrupt") || isKind(error, "unsupported"),
    );
  corrupt(note.body);
  assert.throws(() => decodeNote(row, noSeal), { kind: "corrupt" });
  for (let length = 0; length < row.body.length; length++) corrupt(row.body.slice(0, length));
  for (const [at, value] of [[0, 0], [0, 2], [1, 4], [2, 9], [3, 0], [27, 0xff]] as const) {
    const body = row.body.slice();
    body[at] = value;
    corrupt(body);
  }
});

Deno.test("the seal covers all of an audit record that has a name", () => {
  const seen: Uint8Array[] = [];
  const seal = { ...noSeal, seal: (plain: Bytes) => (seen.push(plain), new Uint8Array(1)) };
  const { body } = encodeAuditRow(rows[1]!, { ...place, id }, seal);
  assert.equal(body.length, 37);
  assert.match(new TextDecoder().decode(seen[0]), /^\["größe[^]*"pr\/1","kv"/);
});
