/** `[namespaces.NAME]` in the file of a server: what a namespace, and scopes of it, may hold. */
import type { TomlTable } from "smol-toml";
import * as v from "valibot";
import { isNamespace } from "../../core/entry.ts";
import { MAX_SCOPE_QUOTAS } from "../../core/limits.ts";
import type { Holds, NamespaceQuota, ScopeQuota } from "../../core/quota.ts";
import { parseSize } from "../../core/units.ts";
import { checkTable, described } from "./check_table.ts";
import type { KeySchemas, TableValues } from "./check_table.ts";
import type { ConfigProblem } from "./problem.ts";
import type { TomlFile } from "./toml_file.ts";

/** Its name in the file. */
export const QUOTA_TABLE = "namespaces";

/** The quotas that are right, and what is wrong with the others. */
export interface CheckedQuotas {
  readonly quotas: readonly NamespaceQuota[];
  readonly problems: readonly ConfigProblem[];
}

const size = v.pipe(
  v.unknown(),
  v.rawTransform(({ dataset: { value }, addIssue, NEVER }) => {
    const bytes = typeof value === "string" || typeof value === "number"
      ? sizeOf(value)
      : undefined;
    if (bytes !== undefined && bytes > 0) return bytes;
    addIssue({ message: "a size such as 20GiB", received: described(value) });
    return NEVER;
  }),
);
const number = v.pipe(
  v.number("a whole number above 0"),
  v.safeInteger("a whole number above 0"),
  v.minValue(1, "a whole number above 0"),
);
const LIMITS = { "max-size": size, "max-entries": number } satisfies KeySchemas;
const table = v.custom<TomlTable>(isTable, "a table");

/** Reads the table, which may be missing. */
export async function checkQuotas(source: TomlFile): Promise<CheckedQuotas> {
  const all = source.table[QUOTA_TABLE];
  if (all === undefined) return { quotas: [], problems: [] };
  const named = await checkTable(source, { [QUOTA_TABLE]: all }, {
    path: [],
    keys: { [QUOTA_TABLE]: table },
  });
  const problems = [...named.problems];
  const quotas: NamespaceQuota[] = [];
  for (const [namespace, given] of Object.entries(isTable(all) ? all : {})) {
    const path = [QUOTA_TABLE, namespace];
    if (!isNamespace(namespace)) {
      const wrong = v.custom<unknown>(() => false, "a name of a-z 0-9 . _ - as key");
      const keys = { [namespace]: wrong };
      problems.push(
        ...(await checkTable(source, { [namespace]: given }, { path: [QUOTA_TABLE], keys }))
          .problems,
      );
      continue;
    }
    const keys = { [namespace]: table };
    const outer = await checkTable(source, { [namespace]: given }, { path: [QUOTA_TABLE], keys });
    problems.push(...outer.problems);
    if (!isTable(given)) continue;
    const own = await checkTable(source, given, { path, keys: { ...LIMITS, scopes: table } });
    problems.push(...own.problems);
    const scopes: ScopeQuota[] = [];
    for (
      const [pattern, limits] of Object.entries(own.values.scopes ?? {}).slice(0, MAX_SCOPE_QUOTAS)
    ) {
      const place = [...path, "scopes"];
      const shape = await checkTable(source, { [pattern]: limits }, {
        path: place,
        keys: { [pattern]: table },
      });
      problems.push(...shape.problems);
      if (!isTable(limits)) continue;
      const share = await checkTable(source, limits, { path: [...place, pattern], keys: LIMITS });
      problems.push(...share.problems);
      scopes.push({ pattern, ...limitsOf(share.values) });
    }
    quotas.push({ namespace, scopes, ...limitsOf(own.values) });
  }
  return { quotas, problems };
}

function limitsOf(values: TableValues<typeof LIMITS>): Partial<Holds> {
  const bytes = values["max-size"];
  const entries = values["max-entries"];
  return {
    ...(bytes === undefined ? {} : { bytes }),
    ...(entries === undefined ? {} : { entries }),
  };
}

function sizeOf(value: string | number): number | undefined {
  try {
    return parseSize(String(value));
  } catch {
    return undefined; // what is wanted is said by who asked
  }
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.getPrototypeOf(value) !== Date.prototype && !(value instanceof Date);
}
