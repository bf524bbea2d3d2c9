/**
 * Which entries are here, in order: in a SQLite file that can be rebuilt from the log, or in
 * memory.
 */
export { checkIndexFile } from "./sqlite/open_file.ts";
export { openIndexReader } from "./sqlite/reader.ts";
export { openIndexWriter } from "./sqlite/open_writer.ts";
