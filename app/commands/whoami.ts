import type { Command } from "commander";
import { TOKEN_SOON_MS } from "../../core/limits.ts";
import type { Principal } from "../../core/policy.ts";
import { formatDuration } from "../../core/units.ts";
import { backendMismatch } from "../config/backend_mismatch.ts";
import { resolveStore } from "../config/resolve_store.ts";
import { EXIT } from "../exit_codes.ts";
import { openResolved } from "../open_named_store.ts";
import { Output, shown } from "../output.ts";
import type { CommandContext } from "./context.ts";
import { storeFlags, withStoreOptions } from "./context.ts";

/** Adds `whoami`. */
export function addWhoami(program: Command, context: CommandContext): void {
  const command = program.command("whoami")
    .summary("show whose token this is and what it may do")
    .description("Asks the store whose token this is, and tells where URL and token come from.")
    .addHelpText("after", EXAMPLES);
  withStoreOptions(command).action(async () => {
    const { environment } = context;
    const flags = storeFlags(context, command);
    const output = new Output(environment, flags);
    const settings = await resolveStore(environment, flags);
    await using store = await openResolved(environment, settings);
    const { id, name, verbs, namespaces, scope, readScopes, expires, backend } = await store
      .whoami();
    const where = settings.dir ?? settings.url!;
    const ends = expires === undefined ? undefined : new Date(expires).toISOString();
    await output.result(
      {
        id,
        name,
        verbs,
        namespaces,
        scope,
        read_scopes: readScopes,
        expires: ends ?? null,
        backend: backend ?? null,
        where: where.value,
        where_from: where.origin,
        token_from: settings.token?.origin ?? null,
      },
      [
        `name        ${shown(name)}`,
        `may         ${verbs.join(", ")}`,
        `namespaces  ${namespaces.map(shown).join(", ")}`,
        `writes      ${shown(scope)}`,
        `reads       ${readScopes.map(shown).join(", ")}`,
        `expires     ${ends ?? "never"}`,
        `backend     ${shown(backend ?? "unknown")}`,
        `store       ${shown(where.value)}  (${shown(where.origin)})`,
        ...settings.token ? [`token       ***  (${settings.token.origin})`] : [],
      ].join("\n"),
    );
    const mismatch = backendMismatch(settings, backend);
    if (mismatch !== undefined) output.warn(mismatch);
    warnOfExpiry(output, { name, expires, now: environment.clock.now() });
    context.end(EXIT.ok);
  });
}

/** Warns from 14 days before a token ends. */
export function warnOfExpiry(
  output: Output,
  { name, expires, now }: Pick<Principal, "name" | "expires"> & { readonly now: number },
): void {
  if (expires === undefined || expires - now >= TOKEN_SOON_MS) return;
  const left = formatDuration(Math.max(0, expires - now));
  output.warn(
    `the token expires in ${left}; an administrator renews it: token rotate ${shown(name)}`,
  );
}

/** Name and rights on one line. */
export function describeRights({ name, verbs, scope, expires }: Principal): string {
  const ends = expires === undefined
    ? "never expires"
    : `expires ${new Date(expires).toISOString()}`;
  return `"${shown(name)}": ${verbs.join(", ")}, writes scope ${shown(scope)}, ${ends}`;
}

const EXAMPLES = `
Examples:
  vitte-remote-cache whoami
  vitte-remote-cache whoami --url https://cache.example.com --json
`;
