-- The snapshot: the whole data set as rows, so that the cost of a checkpoint follows what changed.
--
-- The tables (stored_...) are what the server reads and writes; the views (keys, strings, hashes) are for
-- people, and show only what has not expired. Every time is Unix milliseconds, UTC.

-- Chosen by measurement: a cell of an index b-tree (which a WITHOUT ROWID table is) that overflows its page
-- makes every comparison read the whole record. At 8192 bytes a row of up to 2030 bytes stays on its page.
PRAGMA page_size = 8192;
PRAGMA encoding = 'UTF-8';
-- "Hfst" in ASCII.
PRAGMA application_id = 1214673780;
PRAGMA user_version = 1;

-- Exactly one row, rewritten in the same transaction as the rows that it speaks for.
CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  -- 16 random bytes that every file of one store carries.
  store_id BLOB NOT NULL CHECK (length(store_id) = 16),
  -- The last commit group of the log that the rows contain.
  last_seq INTEGER NOT NULL CHECK (last_seq >= 0),
  -- The segment of the log which holds that group; 0 before the first.
  last_segment INTEGER NOT NULL CHECK (last_segment >= 0),
  -- When that group was written.
  covers_until_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  -- Gives stored_keys.content and stored_hash_fields.content their numbers; never used twice.
  next_content INTEGER NOT NULL CHECK (next_content > 0),
  holdfast_version TEXT NOT NULL,
  -- Of the numbers above, as for every row; created_at_ms and the version are for people only.
  checksum INTEGER NOT NULL
) STRICT;

-- One row for each key of any type. Strings carry their value here unless it is too large for the page.
CREATE TABLE stored_keys (
  db INTEGER NOT NULL,
  key BLOB NOT NULL,
  -- 1 string, 2 hash. Later types take the next numbers and tables of their own, keyed by content.
  type INTEGER NOT NULL CHECK (type IN (1, 2)),
  value BLOB,
  -- Where the rest is: stored_values.id of a large string, stored_hash_fields.collection of a hash.
  content INTEGER,
  expire_at INTEGER CHECK (expire_at > 0),
  -- SQLite has no checksum for pages: this is what notices a changed bit (src/checkpoint/checksum.ts).
  checksum INTEGER NOT NULL,
  PRIMARY KEY (db, key),
  CHECK ((type = 1 AND value IS NOT NULL) <> (content IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Grouped by a number and not by the key: renaming a hash then touches one row, a long key is stored once,
-- and the fields of a new hash go to the end of the table instead of a random page.
CREATE TABLE stored_hash_fields (
  collection INTEGER NOT NULL,
  field BLOB NOT NULL,
  value BLOB,
  content INTEGER,
  expire_at INTEGER CHECK (expire_at > 0),
  checksum INTEGER NOT NULL,
  PRIMARY KEY (collection, field),
  CHECK ((value IS NULL) <> (content IS NULL))
) STRICT, WITHOUT ROWID;

-- Values too large for the page of their row.
CREATE TABLE stored_values (
  id INTEGER PRIMARY KEY,
  value BLOB NOT NULL
) STRICT;

-- What a row leaves behind goes with it, whoever deletes or replaces the row.
CREATE TRIGGER key_replaced AFTER UPDATE OF content ON stored_keys
WHEN old.content IS NOT NULL AND old.content IS NOT new.content BEGIN
  DELETE FROM stored_values WHERE id = old.content;
  DELETE FROM stored_hash_fields WHERE collection = old.content;
END;
CREATE TRIGGER key_deleted AFTER DELETE ON stored_keys WHEN old.content IS NOT NULL BEGIN
  DELETE FROM stored_values WHERE id = old.content;
  DELETE FROM stored_hash_fields WHERE collection = old.content;
END;
CREATE TRIGGER field_replaced AFTER UPDATE OF content ON stored_hash_fields
WHEN old.content IS NOT NULL AND old.content IS NOT new.content BEGIN
  DELETE FROM stored_values WHERE id = old.content;
END;
CREATE TRIGGER field_deleted AFTER DELETE ON stored_hash_fields WHEN old.content IS NOT NULL BEGIN
  DELETE FROM stored_values WHERE id = old.content;
END;

-- The views show bytes as text where they are printable UTF-8, and as \x with hexadecimal digits otherwise
-- (as PostgreSQL writes a bytea). SQLite does not check UTF-8 itself: each pattern here is one legal sequence
-- in hexadecimal, without control characters other than tab, line feed and carriage return. A walk goes from one
-- sequence to the next, in parts of 1024 bytes, because SQLite reads a large value whole for each substr of it.
CREATE TABLE utf8_sequences (pattern TEXT PRIMARY KEY, length INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO utf8_sequences (pattern, length) VALUES
  ('0[9AD]*', 1), ('[2-6]?*', 1), ('7[0-9A-E]*', 1),
  ('C2[AB]?*', 2), ('C[3-9A-F][89AB]?*', 2), ('D?[89AB]?*', 2),
  ('E0[AB]?[89AB]?*', 3), ('E[1-9ABCEF][89AB]?[89AB]?*', 3), ('ED[89]?[89AB]?*', 3),
  ('F0[9AB]?[89AB]?[89AB]?*', 4), ('F[123][89AB]?[89AB]?[89AB]?*', 4), ('F48?[89AB]?[89AB]?*', 4);

-- strftime('%f') and not 'subsec', which SQLite has only since 3.42 and older versions answer with NULL.
CREATE VIEW wall_clock AS
SELECT strftime('%s', 'now') * 1000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) AS now_ms;

CREATE VIEW live_keys AS
SELECT
  stored_keys.db,
  CASE
    WHEN CAST(stored_keys.key AS TEXT) NOT GLOB '*[^ -~]*' AND instr(stored_keys.key, x'00') = 0 THEN CAST(stored_keys.key AS TEXT)
    WHEN (
      WITH RECURSIVE walk (at, start, part) AS (
        SELECT 1, 1, substr(stored_keys.key, 1, 1024) UNION ALL
        SELECT
          at + utf8_sequences.length,
          iif(at + utf8_sequences.length - start > 1020, at + utf8_sequences.length, start),
          iif(at + utf8_sequences.length - start > 1020, substr(stored_keys.key, at + utf8_sequences.length, 1024), part)
        FROM walk JOIN utf8_sequences ON hex(substr(part, at - start + 1, 4)) GLOB pattern
      ) SELECT max(at) > length(stored_keys.key) FROM walk
    ) THEN CAST(stored_keys.key AS TEXT)
    ELSE '\x' || hex(stored_keys.key)
  END AS key,
  stored_keys.type,
  stored_keys.value AS inline_value,
  stored_keys.content,
  stored_keys.expire_at AS expire_at_ms,
  CASE WHEN stored_keys.expire_at IS NOT NULL THEN ifnull(
    strftime('%Y-%m-%dT%H:%M:%S', stored_keys.expire_at / 1000, 'unixepoch') || printf('.%03dZ', stored_keys.expire_at % 1000),
    'after the year 9999'
  ) END AS expire_at_utc,
  -- Rounded as TTL rounds.
  (stored_keys.expire_at - wall_clock.now_ms + 500) / 1000 AS ttl_seconds
FROM stored_keys, wall_clock
WHERE stored_keys.expire_at IS NULL OR stored_keys.expire_at >= wall_clock.now_ms;

CREATE VIEW keys AS
SELECT
  db,
  key,
  CASE type WHEN 1 THEN 'string' WHEN 2 THEN 'hash' END AS type,
  expire_at_ms,
  expire_at_utc,
  ttl_seconds
FROM live_keys;

CREATE VIEW strings AS
SELECT
  db,
  key,
  CASE
    WHEN CAST(value_bytes AS TEXT) NOT GLOB '*[^ -~]*' AND instr(value_bytes, x'00') = 0 THEN CAST(value_bytes AS TEXT)
    WHEN (
      WITH RECURSIVE walk (at, start, part) AS (
        SELECT 1, 1, substr(value_bytes, 1, 1024) UNION ALL
        SELECT
          at + utf8_sequences.length,
          iif(at + utf8_sequences.length - start > 1020, at + utf8_sequences.length, start),
          iif(at + utf8_sequences.length - start > 1020, substr(value_bytes, at + utf8_sequences.length, 1024), part)
        FROM walk JOIN utf8_sequences ON hex(substr(part, at - start + 1, 4)) GLOB pattern
      ) SELECT max(at) > length(value_bytes) FROM walk
    ) THEN CAST(value_bytes AS TEXT)
    ELSE '\x' || hex(value_bytes)
  END AS value,
  length(value_bytes) AS length,
  expire_at_ms,
  expire_at_utc,
  ttl_seconds
FROM (
  SELECT live_keys.*, ifnull(live_keys.inline_value, stored_values.value) AS value_bytes
  FROM live_keys LEFT JOIN stored_values ON stored_values.id = live_keys.content
  WHERE type = 1
);

-- One row for each field. The expiry here is the field's own; that of the whole hash is in keys.
CREATE VIEW hashes AS
SELECT
  db,
  key,
  CASE
    WHEN CAST(field_bytes AS TEXT) NOT GLOB '*[^ -~]*' AND instr(field_bytes, x'00') = 0 THEN CAST(field_bytes AS TEXT)
    WHEN (
      WITH RECURSIVE walk (at, start, part) AS (
        SELECT 1, 1, substr(field_bytes, 1, 1024) UNION ALL
        SELECT
          at + utf8_sequences.length,
          iif(at + utf8_sequences.length - start > 1020, at + utf8_sequences.length, start),
          iif(at + utf8_sequences.length - start > 1020, substr(field_bytes, at + utf8_sequences.length, 1024), part)
        FROM walk JOIN utf8_sequences ON hex(substr(part, at - start + 1, 4)) GLOB pattern
      ) SELECT max(at) > length(field_bytes) FROM walk
    ) THEN CAST(field_bytes AS TEXT)
    ELSE '\x' || hex(field_bytes)
  END AS field,
  CASE
    WHEN CAST(value_bytes AS TEXT) NOT GLOB '*[^ -~]*' AND instr(value_bytes, x'00') = 0 THEN CAST(value_bytes AS TEXT)
    WHEN (
      WITH RECURSIVE walk (at, start, part) AS (
        SELECT 1, 1, substr(value_bytes, 1, 1024) UNION ALL
        SELECT
          at + utf8_sequences.length,
          iif(at + utf8_sequences.length - start > 1020, at + utf8_sequences.length, start),
          iif(at + utf8_sequences.length - start > 1020, substr(value_bytes, at + utf8_sequences.length, 1024), part)
        FROM walk JOIN utf8_sequences ON hex(substr(part, at - start + 1, 4)) GLOB pattern
      ) SELECT max(at) > length(value_bytes) FROM walk
    ) THEN CAST(value_bytes AS TEXT)
    ELSE '\x' || hex(value_bytes)
  END AS value,
  length(value_bytes) AS length,
  expire_at AS expire_at_ms,
  CASE WHEN expire_at IS NOT NULL THEN ifnull(
    strftime('%Y-%m-%dT%H:%M:%S', expire_at / 1000, 'unixepoch') || printf('.%03dZ', expire_at % 1000),
    'after the year 9999'
  ) END AS expire_at_utc,
  (expire_at - now_ms + 500) / 1000 AS ttl_seconds
FROM (
  SELECT
    live_keys.db,
    live_keys.key,
    stored_hash_fields.field AS field_bytes,
    ifnull(stored_hash_fields.value, stored_values.value) AS value_bytes,
    stored_hash_fields.expire_at,
    wall_clock.now_ms
  FROM live_keys
  CROSS JOIN wall_clock
  JOIN stored_hash_fields ON stored_hash_fields.collection = live_keys.content
  LEFT JOIN stored_values ON stored_values.id = stored_hash_fields.content
  WHERE live_keys.type = 2
)
WHERE expire_at IS NULL OR expire_at >= now_ms;
