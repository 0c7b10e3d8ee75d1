import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import type { Backup, DatabaseState, EntryList, HistoryExport, OutputFile } from '../../../lib/admin';
import { systemClock } from '../../../lib/model';
import { GatewayStore, SqliteBackend } from '../../../lib/store';
import { eventually } from '../../support/eventually';
import { Asking, altered, eui, FARM, T } from './asking';

let asking: Asking;
afterEach(() => asking.stop());

interface FileList {
  readonly rows: readonly OutputFile[];
  readonly total: number;
}

async function withValues(): Promise<void> {
  asking = await Asking.start();
  asking.name({ 1: 'Hall "3", north', 2: '=cmd()' });
  asking.accept(1, T, { t: -1.5, n: 9_007_199_254_740_993n, b: true });
  asking.accept(1, T + 1, { t: 1e-7, note: 'a,b\n"c"' });
  asking.accept(1, T + 2, {}, { t: 'BadSensorFailure' });
  asking.accept(2, T, { note: "'quoted" });
  asking.accept(2, T + 1, { note: '+1' });
}

const exported = async (payload: object): Promise<[HistoryExport, string]> => {
  const result = await asking.result<HistoryExport>('history.export', payload, 'eve');
  assert.equal(result.path, join(asking.folders.exports, result.file));
  const text = readFileSync(result.path, 'utf8');
  assert.equal(result.bytes, Buffer.byteLength(text));
  return [result, text];
};

describe('history.export', () => {
  test('writes CSV as RFC 4180 wants it, without formulas', async () => {
    await withValues();
    const [{ file, rows }, text] = await exported({ file: 'all' });
    assert.equal(file, 'all.csv');
    assert.equal(rows, 8);
    assert.equal(
      text,
      [
        'time,device,devEui,metric,value,quality,origin',
        '2026-11-20T12:00:00.000Z,"Hall ""3"", north",0000000000000001,t,-1.5,Good,event',
        '2026-11-20T12:00:00.001Z,"Hall ""3"", north",0000000000000001,t,1e-7,Good,event',
        '2026-11-20T12:00:00.002Z,"Hall ""3"", north",0000000000000001,t,,BadSensorFailure,event',
        '2026-11-20T12:00:00.000Z,"Hall ""3"", north",0000000000000001,n,9007199254740993,Good,event',
        '2026-11-20T12:00:00.000Z,"Hall ""3"", north",0000000000000001,b,true,Good,event',
        '2026-11-20T12:00:00.001Z,"Hall ""3"", north",0000000000000001,note,"a,b\n""c""",Good,event',
        "2026-11-20T12:00:00.000Z,'=cmd(),0000000000000002,note,''quoted,Good,event",
        "2026-11-20T12:00:00.001Z,'=cmd(),0000000000000002,note,'+1,Good,event",
        '',
      ].join('\r\n'),
    );
  });

  test('writes NDJSON with texts as they are', async () => {
    await withValues();
    const [, text] = await exported({ format: 'ndjson', devices: [eui(2), eui(1)], metrics: ['note', 'n'] });
    const rows = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const row = (time: string, device: string, devEui: string, metric: string, value: string) => ({
      time: `2026-11-20T12:00:00.${time}Z`,
      device,
      devEui,
      metric,
      value,
      quality: 'Good',
      origin: 'event',
    });
    assert.deepEqual(rows, [
      row('000', '=cmd()', eui(2), 'note', "'quoted"),
      row('001', '=cmd()', eui(2), 'note', '+1'),
      row('000', 'Hall "3", north', eui(1), 'n', '9007199254740993'),
      row('001', 'Hall "3", north', eui(1), 'note', 'a,b\n"c"'),
    ]);
    assert.ok(text.endsWith('}\n'));
  });

  test('takes a range, an application, one device; more values than a page', async () => {
    asking = await Asking.start();
    asking.name({ 1: 'Hall' });
    for (let index = 0; index < 5_000; index++) asking.accept(1, T + index, { t: index });
    asking.accept(2, T, { t: 1 });
    const [all] = await exported({ applicationId: FARM });
    assert.equal(all.rows, 5_000);
    assert.match(all.file, /^history-\d{8}T\d{6}Z\.csv$/);
    const [some, text] = await exported({ devEui: eui(1), metric: 't', from: T + 10, to: T + 13, file: 'some.CSV' });
    assert.equal(some.rows, 3);
    assert.equal(some.file, 'some.CSV');
    assert.deepEqual(text.match(/\.0\d\dZ/g), ['.010Z', '.011Z', '.012Z']);
    assert.deepEqual(await asking.fields('history.export', { metric: 'none' }), ['payload']);
    assert.deepEqual(await asking.fields('history.export', { from: T, to: T - 1 }), ['payload.to']);
  });

  test('writes only files of its folder, and none twice', async () => {
    await withValues();
    for (const file of ['../x', '/etc/x', 'a/b', 'a\\b', '..', '.hidden', 'nul', 'COM1.csv', 'x\0', 'a'.repeat(129), 7])
      assert.deepEqual(await asking.fields('history.export', { file }), ['payload.file'], String(file));
    assert.ok(!existsSync(asking.folders.exports));
    await exported({ file: 'a' });
    const [fault] = await asking.faults('history.export', { file: 'a.csv' });
    assert.match(fault?.rule ?? '', /no file of that name/);
    assert.deepEqual(readdirSync(asking.folders.exports), ['a.csv']);
  });

  test('leaves nothing behind when reading fails, or the gateway stops', async () => {
    let calls = 0;
    let closing = false;
    asking = await Asking.start('memory', (store) =>
      altered(store, {
        readHistory: async (request, signal) => {
          calls++;
          if (!closing && calls === 2) throw new Error('broken');
          if (closing)
            await new Promise((_resolve, reject) => {
              signal?.addEventListener('abort', () => reject(new Error('ended')));
            });
          return store.readHistory(request, signal);
        },
      }),
    );
    asking.accept(1, T, { t: 1, u: 2 });
    assert.deepEqual(await asking.fields('history.export', {}), ['topic']);
    assert.deepEqual(readdirSync(asking.folders.exports), []);
    assert.equal(asking.captured.entries.at(-1)?.message, 'broken');

    closing = true;
    calls = 0;
    const stopped = asking.faults('history.export', {});
    await eventually(() => calls === 1, 'the first page');
    const [busy] = await asking.faults('history.export', {});
    assert.match(busy?.rule ?? '', /one at a time/);
    await asking.administration.close();
    assert.match((await stopped)[0]?.rule ?? '', /stopped or deployed/);
    assert.deepEqual(readdirSync(asking.folders.exports), []);
  });

  test('removes what a crash left behind long ago, and nothing else', async () => {
    await withValues();
    mkdirSync(asking.folders.exports);
    const old = join(asking.folders.exports, '.00000000-0000-0000-0000-000000000000.part');
    const young = join(asking.folders.exports, '.11111111-0000-0000-0000-000000000000.part');
    const foreign = join(asking.folders.exports, '.keep.part');
    for (const file of [old, young, foreign]) writeFileSync(file, '');
    for (const file of [old, foreign]) utimesSync(file, 1_000, 1_000);
    await exported({ file: 'a' });
    assert.deepEqual([old, young, foreign].map(existsSync), [false, true, true]);
    const { rows } = await asking.result<FileList>('exports.list');
    assert.deepEqual(
      rows.map(({ file }) => file),
      ['a.csv'],
    );
  });

  test('says what to do when the folder cannot be written', async () => {
    await withValues();
    writeFileSync(asking.folders.exports, 'a file in the place of the folder');
    assert.deepEqual(await asking.fields('history.export', {}), ['topic']);
  });

  test('is in the audit journal with the user, and in the list of exports', async () => {
    await withValues();
    const [{ file, bytes }] = await exported({ devEui: eui(1) });
    const { entries } = await asking.result<EntryList>('audit.list', { user: 'eve', types: ['history.export'] });
    assert.deepEqual(
      entries.map(({ type, user, details }) => [type, user, details]),
      [['history.export', 'eve', { file, bytes, rows: 6 }]],
    );
    assert.deepEqual((await asking.result<EntryList>('audit.list', { user: 'adam' })).entries, []);
    const { rows, total } = await asking.result<FileList>('exports.list', { limit: 10 });
    assert.equal(total, 1);
    assert.deepEqual(
      rows.map((row) => [row.file, row.bytes, row.time > T]),
      [[file, bytes, true]],
    );
    assert.deepEqual((await asking.result<FileList>('backups.list')).rows, []);
  });
});

describe('database.backup', () => {
  test('is a database with all that was accepted', async () => {
    asking = await Asking.start('sqlite');
    for (let index = 0; index < 1_000; index++) asking.accept(1, T + index, { t: index });
    const { file, path, bytes, removed } = await asking.result<Backup>('database.backup', {}, 'eve');
    assert.match(file, /^lorua-\d{8}T\d{6}Z\.db$/);
    assert.ok(bytes > 10_000);
    assert.deepEqual(removed, []);
    assert.deepEqual(readdirSync(asking.folders.backups), [file]);
    const copy = new GatewayStore(
      new SqliteBackend(path, systemClock),
      { clock: systemClock, logger: asking.captured.logger },
      { retentionDays: 0 },
    );
    await copy.open();
    try {
      const metric = copy.metrics.ofDevice(eui(1))[0];
      assert.ok(metric);
      const page = await copy.readHistory({
        kind: 'raw',
        devEui: eui(1),
        metric: metric.key,
        order: 'ascending',
        start: 0,
        end: Infinity,
        limit: 2_000,
        bounds: { start: false, end: false },
      });
      assert.deepEqual(
        page.values.map(({ value }) => value),
        Array.from({ length: 1_000 }, (_, index) => index),
      );
    } finally {
      await copy.close();
    }
    const { entries } = await asking.result<EntryList>('audit.list');
    assert.deepEqual(
      entries.map(({ type, user }) => [type, user]),
      [['database.backup', 'eve']],
    );
  });

  test('keeps as many as wanted, and never touches other files', async () => {
    asking = await Asking.start('sqlite');
    mkdirSync(asking.folders.backups);
    const older = ['lorua-20240101T020000Z.db', 'lorua-20250101T020000Z.db'];
    for (const file of [...older, 'before-update.db', 'notes.txt'])
      writeFileSync(join(asking.folders.backups, file), '');
    const { file, removed } = await asking.result<Backup>('database.backup', { keep: 2 });
    assert.deepEqual(removed, older.slice(0, 1));
    assert.deepEqual(
      readdirSync(asking.folders.backups).sort(),
      ['before-update.db', file, 'notes.txt', older[1] ?? ''].sort(),
    );
    assert.deepEqual(await asking.fields('database.backup', { file: '../x', keep: 0 }), [
      'payload.file',
      'payload.keep',
    ]);
  });

  test('is refused where the storage has none, and leaves nothing', async () => {
    asking = await Asking.start();
    const [fault] = await asking.faults('database.backup', { file: 'mine' });
    assert.equal(fault?.field, 'database');
    assert.deepEqual(readdirSync(asking.folders.backups), []);
  });
});

test('what was done is an answer also when the audit journal cannot be written', async () => {
  asking = await Asking.start('memory', (store) =>
    altered(store, { commit: () => Promise.reject(new Error('disk full')) }),
  );
  asking.accept(1, T, { t: 1 });
  await exported({ file: 'a' });
  const entry = asking.captured.entries.at(-1);
  assert.match(entry?.message ?? '', /not in the audit journal: disk full/);
  assert.equal(entry?.user, 'eve');
});

describe('database.get', () => {
  test('tells size, retention, health and counts', async () => {
    asking = await Asking.start('sqlite');
    asking.name({ 1: 'Hall' });
    asking.accept(1, T, { t: 1 });
    await asking.store.settled();
    const { size, retention, health, counts } = await asking.result<DatabaseState>('database.get');
    assert.ok(size.bytes > 0 && size.freeBytes >= 0);
    assert.equal(retention.retentionDays, 7);
    assert.equal(retention.eventDays, 5);
    assert.deepEqual(retention.rules, [{ device: '*', metric: 't', deadband: 0 }]);
    assert.equal(health.state, 'healthy');
    assert.deepEqual(counts, { applications: 1, devices: 1, metrics: 1 });
  });
});
