import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { inOneRead } from "./one_read.ts";

function connection(begun = false) {
  const said: string[] = [];
  const state = { isTransaction: begun };
  const exec = (sql: string) => {
    said.push(sql);
    state.isTransaction = sql === "BEGIN";
  };
  return {
    said,
    db: {
      get isTransaction() {
        return state.isTransaction;
      },
      exec,
    },
  };
}

Deno.test("many look-ups are one transaction, few are none, and one inside another is not begun", () => {
  const many = connection();
  assert.equal(inOneRead(many.db, 100, () => many.said.join()), "BEGIN");
  assert.deepEqual(many.said, ["BEGIN", "COMMIT"]);
  const few = connection();
  assert.equal(inOneRead(few.db, 2, () => 7), 7);
  assert.deepEqual(few.said, []);
  const within = connection(true);
  inOneRead(within.db, 100, () => 0);
  assert.deepEqual(within.said, []);
});

Deno.test("a look-up that fails leaves no transaction behind", () => {
  using db = new DatabaseSync(":memory:");
  const wrong = new Error("wrong");
  assert.throws(() =>
    inOneRead(db, 100, () => {
      throw wrong;
    }), wrong);
  assert.equal(db.isTransaction, false);
});
