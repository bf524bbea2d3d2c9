/** Fails when the public interface lacks words, or a Markdown file points at nothing. */
import { filesWhere } from "./source_files.ts";
import { ROOT } from "./run_steps.ts";

interface DocJson {
  nodes: Record<string, { symbols: DocSymbol[] }>;
}
interface DocSymbol {
  name: string;
  declarations: { location: { filename: string; line: number }; jsDoc?: { doc?: string } }[];
}

/** The exported symbols that no declaration of theirs documents, from `deno doc --json`. */
export function undocumented(json: DocJson): string[] {
  return Object.values(json.nodes).flatMap((node) =>
    (node.symbols ?? [])
      .filter((symbol) => !symbol.declarations.some((one) => one.jsDoc?.doc?.trim()))
      .map((symbol) => {
        const at = symbol.declarations[0]?.location;
        return `${symbol.name}: exported by mod.ts without JSDoc (${at?.filename}:${
          (at?.line ?? 0) + 1
        })`;
      })
  );
}

/** The relative link targets of a Markdown text, without fragment; code is left out. */
export function relativeLinks(markdown: string): string[] {
  const prose = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, "").replace(/`[^`\n]*`/g, "");
  const targets = [
    ...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g),
    ...prose.matchAll(/^\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm),
  ].map((match) => match[1]!);
  return targets
    .filter((target) => !/^([a-z][a-z0-9+.-]*:|#|\/\/)/i.test(target))
    .map((target) => decodeURIComponent(target.replace(/[#?].*$/, "")));
}

async function publicInterface(): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", "mod.ts"],
    cwd: ROOT,
  }).output();
  if (code !== 0) return [`deno doc mod.ts: ${new TextDecoder().decode(stderr).trim()}`];
  return undocumented(JSON.parse(new TextDecoder().decode(stdout)));
}

function brokenLinks(): string[] {
  const problems: string[] = [];
  for (const path of filesWhere((name) => name.endsWith(".md"))) {
    for (const target of relativeLinks(Deno.readTextFileSync(`${ROOT}/${path}`))) {
      const base = target.startsWith("/") ? `file://${ROOT}/` : `file://${ROOT}/${path}`;
      const file = new URL(encodeURI(target.replace(/^\//, "")), base);
      try {
        Deno.statSync(file);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        problems.push(`${path}: the link "${target}" leads nowhere`);
      }
    }
  }
  return problems;
}

if (import.meta.main) {
  const problems = [...await publicInterface(), ...brokenLinks()];
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) Deno.exit(1);
}
