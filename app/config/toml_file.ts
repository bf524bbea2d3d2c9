/** From a path to TOML values: only plain, small, well-formed files. */
import { parse, TomlError } from "smol-toml";
import type { TomlTable } from "smol-toml";
import { MAX_CONFIG_BYTES } from "../../core/limits.ts";
import { shown } from "../output.ts";
import { ConfigError } from "./problem.ts";
import type { Place } from "./problem.ts";

/** A file that could be read, and what stands in it. */
export interface TomlFile {
  /** As it was named. */
  readonly file: string;
  readonly text: string;
  readonly table: TomlTable;
  /** Owner of the file by the system's number; `null` where there is no such thing. */
  readonly owner: number | null;
}

/**
 * Reads a TOML file; `undefined` if there is none.
 * @throws {ConfigError} for a folder, a device, a file that is too large or unreadable, a loop of
 * links, bytes that are not UTF-8, and bad TOML. The file's text is never repeated: a link may lead
 * to somebody's secret
 */
export async function readTomlFile(file: string): Promise<TomlFile | undefined> {
  const path = shown(file);
  const refuse = (found: string, place?: Place) =>
    new ConfigError([{ file: path, place, expected: place ? "TOML" : WANTED, found }]);
  let bytes: Uint8Array;
  let owner: number | null;
  try {
    const info = await Deno.stat(file);
    // Checked before it is opened: opening a pipe waits for somebody at its other end.
    if (!info.isFile) throw refuse(info.isDirectory ? "a folder" : "a device, pipe or socket");
    owner = info.uid;
    using opened = await Deno.open(file, { read: true });
    bytes = await readAtMost(opened, MAX_CONFIG_BYTES + 1);
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw thrown;
    if (thrown instanceof Deno.errors.NotFound) return undefined;
    // `.vitte` itself is a file: then there is no configuration in it.
    if (thrown instanceof Deno.errors.NotADirectory) return undefined;
    throw refuse(reasonOf(thrown));
  }
  if (bytes.length > MAX_CONFIG_BYTES) throw refuse("more than that");
  let text: string;
  try {
    // A byte order mark, as some editors write it, is left out.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw refuse("bytes that are not UTF-8");
  }
  try {
    return { file: path, text, table: parse(text), owner };
  } catch (thrown) {
    if (!(thrown instanceof TomlError)) throw thrown;
    const { line, column } = thrown;
    throw refuse(`a syntax error: ${firstLine(thrown.message)}`, { line, column });
  }
}

const WANTED = `a readable file of at most ${MAX_CONFIG_BYTES / 1024} KiB of UTF-8`;

async function readAtMost(file: Deno.FsFile, most: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(most);
  let length = 0;
  while (length < most) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof Deno.errors.FilesystemLoop) return "a loop of links";
  if (thrown instanceof Deno.errors.PermissionDenied) return "one that this user may not read";
  return thrown instanceof Error ? shown(thrown.message) : String(thrown);
}

/** The parser's words; below them it quotes the file. */
function firstLine(message: string): string {
  return message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "").replace(/\.$/, "");
}
