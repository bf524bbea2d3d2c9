/** Questions after an incident, asked of a server far away. The token decides the reach. */
import type { AuditPage, AuditQuery } from "../core/audit.ts";
import { bytesSource } from "../core/bytes.ts";
import type { SignalOptions } from "../core/bytes.ts";
import type {
  Insight,
  Inspection,
  InspectLookup,
  RemoveRequest,
  RemoveStep,
  UsageQuery,
  UsageRow,
} from "../core/insight.ts";
import {
  AuditPageSchema,
  auditRowOf,
  inspectionOf,
  InspectionSchema,
  RemoveAnswerSchema,
  UsageSchema,
} from "../protocol/insight_json.ts";
import type { RemoveInput } from "../protocol/insight_json.ts";
import { nativePath } from "../protocol/url_space.ts";
import { answerOf } from "./answer.ts";
import type { HttpClient } from "./http.ts";

/** Insight over HTTP. The audit needs the verb `admin`, removal `invalidate`. */
export class RemoteInsight implements Insight {
  readonly #http: HttpClient;
  readonly #namespace: string;

  /** Use `connectCache(…).insight`. */
  constructor(http: HttpClient, namespace: string) {
    this.#http = http;
    this.#namespace = namespace;
  }

  async inspect({ namespace, key, protocol, signal }: InspectLookup): Promise<Inspection> {
    const path = nativePath(namespace, "inspect", key);
    const json = await this.#get(path, { protocol }, { signal });
    return inspectionOf(answerOf(InspectionSchema, json));
  }

  async removeStep(request: RemoveRequest): Promise<RemoveStep> {
    const { namespace, scopes: _scopes, by: _by, dryRun, signal, keys, ...filter } = request;
    const input: RemoveInput = { ...filter, dry_run: dryRun, ...(keys ? { keys: [...keys] } : {}) };
    const json = await this.#http.askJson({
      method: "POST",
      path: nativePath(namespace, "remove"),
      headers: { "content-type": "application/json" },
      body: bytesSource(new TextEncoder().encode(JSON.stringify(input))),
      // A second try of a step that succeeded unseen would tell that nothing was there.
      idempotent: dryRun,
      signal,
    });
    const { entries, next } = answerOf(RemoveAnswerSchema, json);
    return { entries, next: next ?? undefined };
  }

  async audit(query: AuditQuery): Promise<AuditPage> {
    const { signal, kinds, ...rest } = query;
    const words = { ...rest, kind: kinds?.join(",") };
    const json = await this.#get(nativePath("default", "audit"), words, { signal });
    const { rows, next } = answerOf(AuditPageSchema, json);
    return { rows: rows.map(auditRowOf), next: next ?? undefined };
  }

  async usage({ by, since }: UsageQuery): Promise<UsageRow[]> {
    const path = nativePath(this.#namespace, "stats", "history");
    return answerOf(UsageSchema, await this.#get(path, { by, since }, {})).rows;
  }

  async #get(
    path: string,
    words: Readonly<Record<string, string | number | undefined>>,
    { signal }: SignalOptions,
  ): Promise<unknown> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(words)) {
      if (value !== undefined) query.set(name, String(value));
    }
    const text = query.size === 0 ? "" : `?${query}`;
    return await this.#http.askJson({ method: "GET", path: path + text, idempotent: true, signal });
  }
}
