/**
 * Schema of the database and how an older one becomes the present one. Forward only: a migration that was released is
 * never changed, a new one is added. Documented for users in docs/operations.md.
 */
import type { Database } from 'better-sqlite3';
import { StorageError } from '../backend';

/** SQL of each version, from 1. Each runs in one transaction together with the new `user_version`. */
export const MIGRATIONS: readonly string[] = [
  `
  -- Metrics get a number, so that a row of history is small.
  CREATE TABLE metrics (
    metric_id INTEGER PRIMARY KEY,
    dev_eui   TEXT NOT NULL,
    key       TEXT NOT NULL,
    name      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    data_type TEXT,
    UNIQUE (dev_eui, key)
  ) STRICT;

  -- The last picture of each source (Node-RED id of its connection); body is JSON.
  CREATE TABLE inventory (
    source TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('application', 'profile', 'device')),
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (source, kind, id)
  ) STRICT, WITHOUT ROWID;

  -- Times are whole ms UTC, status is an OPC UA status code, flags see columns.ts. The storage class of a value is its
  -- type: REAL = Double, INTEGER = Int64 or Boolean (flags tell), TEXT = String, NULL = a status without a value.
  CREATE TABLE current_values (
    metric_id INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL,
    status    INTEGER NOT NULL,
    flags     INTEGER NOT NULL,
    value     ANY
  ) STRICT;

  CREATE TABLE history (
    metric_id INTEGER NOT NULL,
    time      INTEGER NOT NULL,
    status    INTEGER NOT NULL,
    flags     INTEGER NOT NULL,
    value     ANY,
    PRIMARY KEY (metric_id, time)
  ) STRICT, WITHOUT ROWID;

  -- The last events of each device, as a ring: slot = sequence modulo its size.
  CREATE TABLE seen_events (
    dev_eui  TEXT NOT NULL,
    slot     INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (dev_eui, slot)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE gateway_state (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Values that a correction took the place of, as they were in history; \`number\` counts those of one instant from 1.
  CREATE TABLE modified_history (
    metric_id   INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    status      INTEGER NOT NULL,
    flags       INTEGER NOT NULL,
    value       ANY,
    PRIMARY KEY (metric_id, time, number)
  ) STRICT, WITHOUT ROWID;

  -- Metrics whose newest row of history is a gap: nothing is known since then.
  CREATE TABLE open_gaps (
    metric_id INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL
  ) STRICT;

  -- Commands, alarms and users in their present state. ended_at is set once a final state is reached; body is JSON.
  CREATE TABLE commands (
    id         TEXT PRIMARY KEY,
    dev_eui    TEXT,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    ended_at   INTEGER,
    body       TEXT NOT NULL
  ) STRICT;
  CREATE INDEX commands_by_creation ON commands (created_at, id);
  CREATE INDEX commands_by_device ON commands (dev_eui, created_at, id) WHERE dev_eui IS NOT NULL;
  CREATE INDEX commands_by_state ON commands (state, created_at, id);
  CREATE INDEX commands_open ON commands (created_at, id) WHERE ended_at IS NULL;
  CREATE INDEX commands_by_end ON commands (ended_at) WHERE ended_at IS NOT NULL;

  CREATE TABLE alarms (
    id         TEXT PRIMARY KEY,
    dev_eui    TEXT,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    ended_at   INTEGER,
    body       TEXT NOT NULL
  ) STRICT;
  CREATE INDEX alarms_by_creation ON alarms (created_at, id);
  CREATE INDEX alarms_by_device ON alarms (dev_eui, created_at, id) WHERE dev_eui IS NOT NULL;
  CREATE INDEX alarms_by_state ON alarms (state, created_at, id);
  CREATE INDEX alarms_open ON alarms (created_at, id) WHERE ended_at IS NULL;
  CREATE INDEX alarms_by_end ON alarms (ended_at) WHERE ended_at IS NOT NULL;

  CREATE TABLE users (
    id         TEXT PRIMARY KEY,
    dev_eui    TEXT,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    ended_at   INTEGER,
    body       TEXT NOT NULL
  ) STRICT;
  CREATE INDEX users_by_creation ON users (created_at, id);

  -- Journals: what happened to devices and alarms; who did what. A sequence is never given twice. The same event of
  -- ChirpStack (its id and type) is there once.
  CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time     INTEGER NOT NULL,
    type     TEXT NOT NULL,
    dev_eui  TEXT,
    user     TEXT,
    event_id TEXT,
    body     TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_time ON events (time);
  CREATE INDEX events_by_type ON events (type, time);
  CREATE INDEX events_by_device ON events (dev_eui, time) WHERE dev_eui IS NOT NULL;
  CREATE INDEX events_by_user ON events (user, time) WHERE user IS NOT NULL;
  CREATE UNIQUE INDEX events_once ON events (event_id, type) WHERE event_id IS NOT NULL;

  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time     INTEGER NOT NULL,
    type     TEXT NOT NULL,
    dev_eui  TEXT,
    user     TEXT,
    event_id TEXT,
    body     TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_time ON audit (time);
  CREATE INDEX audit_by_type ON audit (type, time);
  CREATE INDEX audit_by_device ON audit (dev_eui, time) WHERE dev_eui IS NOT NULL;
  CREATE INDEX audit_by_user ON audit (user, time) WHERE user IS NOT NULL;
  CREATE UNIQUE INDEX audit_once ON audit (event_id, type) WHERE event_id IS NOT NULL;
  `,
  `
  -- The inventory knows gateways too. A CHECK cannot be altered: the table is made anew.
  CREATE TABLE inventory_with_gateways (
    source TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('application', 'profile', 'device', 'gateway')),
    id     TEXT NOT NULL,
    body   TEXT NOT NULL,
    PRIMARY KEY (source, kind, id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO inventory_with_gateways SELECT source, kind, id, body FROM inventory;
  DROP TABLE inventory;
  ALTER TABLE inventory_with_gateways RENAME TO inventory;
  `,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Marks the file as Lorua's (`file` and other tools show it): "LRUA". */
export const APPLICATION_ID = 0x4c525541;

/** Version of the schema in a file; 0 = empty. */
export function schemaVersion(database: Database): number {
  return Number(database.pragma('user_version', { simple: true }));
}

/**
 * Brings a database to a schema version.
 * @param backUp called once before the first change of a database that holds something
 * @throws StorageError `newer-schema` if a newer program has been there
 */
export function migrate(
  database: Database,
  backUp: (version: number) => void,
  migrations: readonly string[] = MIGRATIONS,
): void {
  const version = schemaVersion(database);
  if (version > migrations.length)
    throw new StorageError(
      'newer-schema',
      `the database has schema ${version}, this program knows schemas up to ${migrations.length}`,
      'Start the newer version of Lorua that wrote it, or restore the backup made before its update.',
    );
  if (version === migrations.length) return;
  if (version > 0) backUp(version);
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    database.transaction(() => {
      database.exec(sql);
      database.pragma(`user_version = ${index + 1}`);
      database.pragma(`application_id = ${APPLICATION_ID}`);
    })();
  }
}
