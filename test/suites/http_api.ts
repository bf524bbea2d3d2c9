/**
 * Conformance of the HTTP API: the same cases for the bare handler, for a real port, and for
 * every engine below.
 */
import { accessCases } from "./http_api_access.ts";
import { adapterCases } from "./http_api_adapters.ts";
import { batchCases } from "./http_api_batches.ts";
import { maskedCases } from "./http_api_masked.ts";
import { toolCases } from "./http_api_tools.ts";
import { turborepoCases } from "./http_api_turborepo.ts";
import { blobCases } from "./http_api_blobs.ts";
import { entryCases } from "./http_api_entries.ts";
import { goCases } from "./http_api_go.ts";
import { incidentCases } from "./http_api_incident.ts";
import { pinCases } from "./http_api_pins.ts";
import { pathCases } from "./http_api_paths.ts";

/** What a case sends. */
export interface HttpQuestion {
  /** One of the fixture's tokens, or `null` for none. Default `writer`. */
  readonly as?: keyof HttpTokens | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  /** Sends the body without a length. Default false. */
  readonly chunked?: boolean;
}

/** What came back, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

/** Tokens that a fixture has made. */
export interface HttpTokens {
  readonly admin: string;
  /** read and write in `default`. */
  readonly writer: string;
  /** read in `default`. */
  readonly reader: string;
  /** read, write and invalidate in `team-a`. */
  readonly a: string;
  /** read, write and invalidate in `team-b`. */
  readonly b: string;
  /** write in `default`, scope `pr/1`, reading `pr/1` and then `main`; read and invalidate too. */
  readonly branch: string;
  /** read and write in `default`, a while ago. */
  readonly expired: string;
  /** As `expired`, until it was revoked. */
  readonly revoked: string;
}

/** One fresh server. */
export interface HttpFixture extends AsyncDisposable {
  readonly tokens: HttpTokens;
  /** Sends `target` as it is, nothing normalised. */
  send(method: string, target: string, question?: HttpQuestion): Promise<HttpAnswer>;
}

/** One case; it gets a server of its own. */
export type HttpCase = (server: HttpFixture, t: Deno.TestContext) => Promise<void>;

/** Every case by its name. */
export const HTTP_CASES: Readonly<Record<string, HttpCase>> = {
  ...pathCases,
  ...blobCases,
  ...batchCases,
  ...entryCases,
  ...adapterCases,
  ...goCases,
  ...toolCases,
  ...turborepoCases,
  ...maskedCases,
  ...accessCases,
  ...incidentCases,
  ...pinCases,
};

/** Registers the suite, or these `cases` of it, for one way to open a server. */
export function httpApiSuite(
  name: string,
  open: () => Promise<HttpFixture>,
  cases: Readonly<Record<string, HttpCase>> = HTTP_CASES,
): void {
  for (const [title, run] of Object.entries(cases)) {
    Deno.test(`${name}: ${title}`, async (t) => {
      await using server = await open();
      await run(server, t);
    });
  }
}
