import type { Command } from "commander";
import { bodyBytes, bytesSource, equalBytes } from "../../core/bytes.ts";
import { toCacheError } from "../../core/errors.ts";
import { TOKEN_SOON_MS } from "../../core/limits.ts";
import { formatDuration, formatSize } from "../../core/units.ts";
import { backendMismatch } from "../config/backend_mismatch.ts";
import { ConfigError, problemLine } from "../config/problem.ts";
import type { ConfigProblem } from "../config/problem.ts";
import { resolveStore } from "../config/resolve_store.ts";
import type { StoreSettings } from "../config/resolve_store.ts";
import { diskFacts, reserveBytes } from "../disk_room.ts";
import { EXIT } from "../exit_codes.ts";
import { maskedHint, maskedParts } from "../masked.ts";
import type { Opened } from "../opened.ts";
import { openResolved } from "../open_named_store.ts";
import { Output } from "../output.ts";
import type { CommandContext, StoreFlags } from "./context.ts";
import { storeFlags, withStoreOptions } from "./context.ts";

/** One thing that was looked at. */
interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "failed";
  readonly detail: string;
  readonly hint?: string;
}

/** Adds `doctor`. */
export function addDoctor(program: Command, context: CommandContext): void {
  const command = program.command("doctor")
    .summary("find out what is wrong and what to do about it")
    .description("Looks at the store and at the way to it. Exit 1: something failed.");
  withStoreOptions(command).action(async () => {
    const flags = storeFlags(context, command);
    const output = new Output(context.environment, flags);
    const findings = await examine(context, flags);
    await output.result(findings, findings.map(line).join("\n"));
    const failed = findings.some((finding) => finding.state === "failed");
    context.end(failed ? EXIT.failed : EXIT.ok);
  });
}

async function examine(context: CommandContext, flags: StoreFlags): Promise<Finding[]> {
  let opened: Opened;
  let settings: StoreSettings;
  try {
    settings = await resolveStore(context.environment, flags);
    opened = await openResolved(context.environment, settings);
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems.map(configFinding);
    return [failed("open the store", thrown)];
  }
  await using store = opened;
  const findings: Finding[] = [{ check: "open the store", state: "ok", detail: store.where }];
  if (settings.found) {
    findings.unshift({ check: "config file", state: "ok", detail: settings.found.source.file });
  }
  if (settings.backend) {
    await look(findings, "backend", async () => backendFinding(settings, await store.whoami()));
  }
  const now = context.environment.clock.now();
  await look(findings, "who am I", async () => {
    const { name, verbs, scope, expires } = await store.whoami();
    const left = expires === undefined ? undefined : expires - now;
    const soon = left !== undefined && left < TOKEN_SOON_MS;
    return {
      state: soon ? "warning" : "ok",
      detail: `token "${name}": ${verbs.join(", ")}, writes scope ${scope}, ` +
        (left === undefined ? "never expires" : `expires in ${formatDuration(left)}`),
      ...(soon ? { hint: `renew it: token rotate ${name}` } : {}),
    };
  });
  await look(findings, "totals", async () => {
    const stats = await store.stats();
    const { entries, stored_bytes, quarantined } = stats;
    const bad = Number(quarantined ?? 0);
    const hidden = maskedParts(stats);
    return {
      state: bad > 0 || hidden.length > 0 ? "warning" : "ok",
      detail: `${entries} entries, ${formatSize(stored_bytes)} stored, ` +
        (hidden.length === 0 ? "no trouble hidden from a build" : `hidden: ${hidden.join("; ")}`),
      ...(bad > 0 ? { hint: "records are quarantined: verify --repair" } : maskedHint(stats)),
    };
  });
  await look(findings, "write and read back", () => roundTrip(context, store, flags.namespace));
  if (flags.dir !== undefined) {
    const { dir } = flags;
    await look(findings, "disk", () => Promise.resolve(diskFinding(dir)));
  }
  return findings;
}

function configFinding(problem: ConfigProblem): Finding {
  const { hint } = problem;
  return {
    check: "config file",
    state: "failed",
    detail: problemLine(problem),
    ...(hint === undefined ? {} : { hint }),
  };
}

function backendFinding(
  settings: StoreSettings,
  { backend }: { readonly backend?: string | undefined },
): Omit<Finding, "check"> {
  const mismatch = backendMismatch(settings, backend);
  return mismatch === undefined
    ? { state: "ok", detail: backend ?? "the server does not say" }
    : { state: "warning", detail: mismatch, hint: "config show --origin tells who named it" };
}

function diskFinding(dir: string): Omit<Finding, "check"> {
  const facts = diskFacts(dir);
  const tight = facts.free < reserveBytes(facts);
  return {
    state: tight ? "warning" : "ok",
    detail: `${formatSize(facts.free)} of ${formatSize(facts.total)} are free`,
    ...(tight ? { hint: "less is free than the reserve: writes are refused; make room" } : {}),
  };
}

async function roundTrip(
  context: CommandContext,
  store: Opened,
  namespace: string,
): Promise<Omit<Finding, "check">> {
  const { clock } = context.environment;
  const { verbs } = await store.whoami();
  if (!verbs.includes("write") && !verbs.includes("admin")) {
    return { state: "ok", detail: "left out: this token may not write" };
  }
  const began = clock.monotonic();
  const blobs = store.cache.blobs(namespace);
  const bytes = crypto.getRandomValues(new Uint8Array(1000));
  const { digest } = await blobs.put(undefined, bytesSource(bytes));
  const body = await blobs.get(digest);
  const back = body && await bodyBytes(body, bytes.length);
  await blobs.delete([digest]);
  if (!back || !equalBytes(back, bytes)) {
    return { state: "failed", detail: "other bytes came back", hint: "verify the store" };
  }
  return { state: "ok", detail: `1,000 bytes in ${formatDuration(clock.monotonic() - began)}` };
}

async function look(
  findings: Finding[],
  check: string,
  work: () => Promise<Omit<Finding, "check">>,
): Promise<void> {
  try {
    findings.push({ check, ...await work() });
  } catch (thrown) {
    findings.push(failed(check, thrown));
  }
}

function failed(check: string, thrown: unknown): Finding {
  const error = toCacheError(thrown, "doctor");
  return {
    check,
    state: "failed",
    detail: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

function line(finding: Finding): string {
  const { check, state, detail, hint } = finding;
  return `${state.padEnd(8)} ${check}: ${detail}${
    hint === undefined ? "" : `\n         hint: ${hint}`
  }`;
}
