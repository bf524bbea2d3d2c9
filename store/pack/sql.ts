/** The statements of the writer, by name. */

/** Each is prepared once and kept. */
export const SQL = {
  find: "SELECT segment, offset, stored, raw, codec, used FROM location WHERE kind = ? AND id = ?",
  insert: "INSERT INTO location VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  place: "UPDATE location SET segment = ?, offset = ?, stored = ?, codec = ? " +
    "WHERE kind = ? AND id = ?",
  use: "UPDATE location SET used = ? WHERE kind = ? AND id = ?",
  remove: "DELETE FROM location WHERE kind = ? AND id = ?",
  // One piece of memory: a row of its own for each would take six times as long.
  chunksOf: "SELECT CAST(group_concat(id, '') AS BLOB) AS ids FROM location " +
    "WHERE segment = ? AND kind = 1",
  chunkIds: "SELECT CAST(group_concat(id, '') AS BLOB) AS ids FROM " +
    "(SELECT id FROM location WHERE kind = 1 AND id > ? ORDER BY id LIMIT ?)",
  removeAll: "DELETE FROM location WHERE segment = ?",
  rows: "SELECT * FROM location WHERE segment = ? AND offset >= ? ORDER BY offset LIMIT ?",
  usedSince: "SELECT * FROM location WHERE segment = ? AND used > ?",
  shift: "UPDATE segments SET live_bytes = live_bytes + ?, live_records = live_records + ?, " +
    "used_sum = used_sum + ? WHERE number = ?",
  empty: "UPDATE segments SET live_bytes = 0, live_records = 0, used_sum = 0 WHERE number = ?",
  live: "SELECT count(*) AS records, coalesce(sum(kind = 1), 0) AS chunks, " +
    "coalesce(sum(stored + 56), 0) AS stored, coalesce(sum(raw), 0) AS raw " +
    "FROM location WHERE segment = ?",
  totals: "UPDATE totals SET records = ?, chunks = ?, stored_bytes = ?, raw_bytes = ?, " +
    "quarantined = ?, segments = ?, disk_bytes = ? WHERE one = 1",
  addSegment: "INSERT INTO segments (number, name, area, state, size, applied, created) " +
    "VALUES (?, ?, ?, ?, ?, ?, ?)",
  setSegment: "UPDATE segments SET state = ?, size = ?, applied = ? WHERE number = ?",
  deleteSegment: "DELETE FROM segments WHERE number = ?",
  segment: "SELECT number, name, area, state, size, live_bytes, live_records, applied, created " +
    "FROM segments WHERE number = ?",
  segments: "SELECT number, name, area, state, size, live_bytes, live_records, applied, created " +
    "FROM segments ORDER BY number",
  victims: "SELECT number, name, size, live_bytes AS alive, live_records AS records, " +
    "CASE WHEN live_records = 0 THEN 0.0 " +
    "ELSE CAST(used_sum AS REAL) * 1000 / live_records END AS used " +
    "FROM segments WHERE area = 'data' AND state IN ('sealed', 'full') ORDER BY number",
  averageUse: "SELECT sum(CAST(used_sum AS REAL)) / sum(live_records) AS used FROM segments " +
    "WHERE area = 'data'",
  getMeta: "SELECT value FROM meta WHERE key = ?",
  setMeta: "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  damage:
    "INSERT INTO quarantine (kind, id, segment, offset, length, at) VALUES (?, ?, ?, ?, ?, ?)",
  damaged: "SELECT 1 AS known FROM quarantine WHERE segment = ? AND offset = ?",
  heal: "DELETE FROM quarantine WHERE id = ? AND kind = ?",
  forget: "DELETE FROM quarantine WHERE segment = ?",
  quarantine: "SELECT kind, id, segment, offset, length, at FROM quarantine ORDER BY number",
  quarantined: "SELECT count(*) AS count FROM quarantine",
} as const;
