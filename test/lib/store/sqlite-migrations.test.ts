import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import SqliteDatabase from 'better-sqlite3';
import { parseSourceId } from '../../../lib/model';
import {
  type InventoryRecord,
  metricsOf,
  SampleColumnsBuilder,
  StorageError,
  sampleFlags,
  samplesOf,
} from '../../../lib/store';
import { DatabaseReader } from '../../../lib/store/sqlite/reader';
import { MIGRATIONS, migrate, SCHEMA_VERSION } from '../../../lib/store/sqlite/schema';
import { DatabaseWriter } from '../../../lib/store/sqlite/writer';
import { batch } from './storage-conformance';

const ROWS = 20_000;
const options = { replaceDamaged: false, now: 0 };

/** A database as the first release wrote it. */
function writeFirstRelease(file: string): void {
  const database = new SqliteDatabase(file);
  database.pragma('auto_vacuum = INCREMENTAL');
  database.pragma('journal_mode = WAL');
  migrate(database, () => undefined, MIGRATIONS.slice(0, 1));
  database.transaction(() => {
    database
      .prepare('INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)')
      .run(7, '0102030405060708', 'temperature', 'Temperature', 'GAUGE', 'Double');
    const insert = database.prepare('INSERT INTO history VALUES (7, ?, 0, 1, ?)');
    for (let time = 0; time < ROWS; time++) insert.run(time, time / 2);
    database.prepare('INSERT INTO current_values VALUES (7, ?, 0, 1, ?)').run(ROWS - 1, (ROWS - 1) / 2);
    database.prepare(`INSERT INTO inventory VALUES ('c', 'device', '0102030405060708', '{}')`).run();
    database.prepare(`INSERT INTO seen_events VALUES ('0102030405060708', 1, 1, 'e')`).run();
    database.prepare(`INSERT INTO gateway_state VALUES ('closed', 'clean')`).run();
  })();
  database.close();
}

function versionOf(file: string): number {
  const database = new SqliteDatabase(file, { readonly: true });
  const version = Number(database.pragma('user_version', { simple: true }));
  database.close();
  return version;
}

describe('migrations', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lorua-migrations-'));
    file = join(folder, 'lorua.db');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const assertMigrated = (): void => {
    const { writer, state } = DatabaseWriter.open(file, options);
    const values = writer.loadValues();
    assert.equal(versionOf(file), SCHEMA_VERSION);
    assert.deepEqual(
      Array.from(metricsOf(state.metrics), ({ id, definition }) => [id, definition.key, definition.kind]),
      [[7, 'temperature', 'GAUGE']],
    );
    assert.deepEqual(
      Array.from(samplesOf(values.currents), ({ time, value }) => [time, value]),
      [[ROWS - 1, (ROWS - 1) / 2]],
    );
    assert.deepEqual([state.events.length, state.inventory.length, values.gaps.length], [1, 1, 0]);
    // What is new works on what is old.
    const correction = new SampleColumnsBuilder();
    correction.add(7, 5, 0, sampleFlags(99, 'flow', false), 99);
    writer.write(batch({ samples: correction.trimmed(), now: 123 }));
    writer.close({ clean: true });
    const reader = new DatabaseReader(file);
    assert.equal(reader.range(7, 0, 1e15, 'ascending', ROWS * 2).length, ROWS);
    const { columns, modifiedAt } = reader.modified(7, 0, 1e15, 'ascending', 10);
    assert.deepEqual([[...samplesOf(columns)].map(({ value }) => value), [...modifiedAt]], [[2.5], [123]]);
    reader.close();
  };

  test('a database of the first release keeps all that is in it', () => {
    writeFirstRelease(file);
    assertMigrated();
    const backup = `${file}.schema-1.backup`;
    assert.equal(versionOf(backup), 1);
    assert.equal(statSync(backup).mode & 0o777, 0o600);
    const copy = new SqliteDatabase(backup, { readonly: true });
    assert.deepEqual(copy.prepare('SELECT count(*) AS n FROM history').get(), { n: ROWS });
    copy.close();
    rmSync(backup);
    assertMigrated();
    assert.ok(!existsSync(backup), 'nothing to migrate, nothing to back up');
  });

  test('a database that knows no gateways keeps its inventory and takes gateways', () => {
    const database = new SqliteDatabase(file);
    database.pragma('journal_mode = WAL');
    migrate(database, () => undefined, MIGRATIONS.slice(0, 2));
    const insert = database.prepare('INSERT INTO inventory VALUES (?, ?, ?, ?)');
    const kept = (['application', 'device', 'profile'] as const).flatMap((kind) =>
      ['a', 'b'].map((source) => ({
        source: parseSourceId(source),
        kind,
        id: `1 ${kind}`,
        body: `{"of":"${source}"}`,
      })),
    );
    for (const { source, kind, id, body } of kept) insert.run(source, kind, id, body);
    assert.throws(() => insert.run('a', 'gateway', '1', '{}'), /CHECK/);
    database.prepare(`INSERT INTO gateway_state VALUES ('closed', 'clean')`).run();
    database.close();
    const gateway = { source: parseSourceId('a'), kind: 'gateway', id: '00000000000000aa', body: '{}' } as const;
    const open = () => DatabaseWriter.open(file, options);
    const { writer, state } = open();
    const sorted = (records: readonly InventoryRecord[]): InventoryRecord[] =>
      records.toSorted((a, b) => (`${a.source}${a.kind}` < `${b.source}${b.kind}` ? -1 : 1));
    assert.deepEqual(sorted(state.inventory), sorted(kept));
    writer.write(batch({ inventory: [gateway], now: 1 }));
    writer.close({ clean: true });
    assert.equal(versionOf(`${file}.schema-2.backup`), 2);
    const again = open();
    assert.deepEqual(sorted(again.state.inventory), sorted([...kept, gateway]));
    again.writer.close({ clean: true });
  });

  test('killed at any instant, a migration is simply started again', async () => {
    const script = join(folder, 'open.js');
    const writerFile = require.resolve('../../../lib/store/sqlite/writer');
    writeFileSync(
      script,
      `const { DatabaseWriter } = require(${JSON.stringify(writerFile)});
       process.stdout.write('ready');
       process.stdin.once('data', () => DatabaseWriter.open(${JSON.stringify(file)}, { replaceDamaged: false, now: 0 }));`,
    );
    for (const delay of [0, 1, 2, 4, 8, 16]) {
      for (const name of readdirSync(folder)) if (name !== 'open.js') rmSync(join(folder, name));
      writeFirstRelease(file);
      const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      const exited = once(child, 'exit');
      child.stdin.write('go');
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill('SIGKILL');
      await exited;
      assertMigrated();
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.includes('.partial')),
        [],
      );
    }
  });

  test('what a killed one left is made again: its backup is never a half one', () => {
    writeFirstRelease(file);
    writeFileSync(`${file}.schema-1.backup.partial`, 'half a backup');
    writeFileSync(`${file}.schema-1.backup`, 'of an earlier attempt');
    assertMigrated();
    assert.equal(versionOf(`${file}.schema-1.backup`), 1);
    assert.ok(!existsSync(`${file}.schema-1.backup.partial`));
  });

  test('without room for its backup nothing is migrated', () => {
    writeFirstRelease(file);
    // A folder in the place of the backup: it cannot be made.
    for (const blocked of [`${file}.schema-1.backup.partial`, `${file}.schema-1.backup`]) {
      mkdirSync(blocked);
      assert.throws(() => DatabaseWriter.open(file, options), StorageError);
      assert.equal(versionOf(file), 1);
      rmSync(blocked, { recursive: true });
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.includes('backup')),
        [],
      );
    }
    assertMigrated();
  });

  test('run in order, each with its version, after one backup; a failed one leaves the version before', () => {
    const database = new SqliteDatabase(':memory:');
    const backups: number[] = [];
    const backUp = (version: number): number => backups.push(version);
    migrate(database, backUp, MIGRATIONS);
    assert.deepEqual(backups, []);
    const more = [
      ...MIGRATIONS,
      'ALTER TABLE metrics ADD COLUMN unit TEXT',
      'CREATE TABLE good (a); CREATE TABLE b (; ',
    ];
    assert.throws(() => migrate(database, backUp, more));
    assert.equal(database.pragma('user_version', { simple: true }), SCHEMA_VERSION + 1);
    assert.equal(database.prepare(`SELECT count(*) FROM sqlite_schema WHERE name = 'good'`).pluck().get(), 0);
    migrate(database, backUp, [...more.slice(0, -1), 'CREATE TABLE fine (a)']);
    assert.equal(database.pragma('user_version', { simple: true }), SCHEMA_VERSION + 2);
    assert.deepEqual(backups, [SCHEMA_VERSION, SCHEMA_VERSION + 1]);
    migrate(database, backUp, [...more.slice(0, -1), 'CREATE TABLE fine (a)']);
    assert.deepEqual(backups, [SCHEMA_VERSION, SCHEMA_VERSION + 1]);
    database.close();
  });
});
