/** metric-store as a node that answers, and what gateway-admin adds to it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Answer, EntryList, HistoryAnswer, HistoryExport } from '../../lib/admin';
import { systemClock } from '../../lib/model';
import { parseStoreSettings, SqliteBackend } from '../../lib/store';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import { startExample } from '../support/example';
import {
  collect,
  errorOf,
  type FlowMessage,
  type FlowNode,
  give,
  logged,
  logRecords,
  node,
  startFlow,
  stopFlow,
} from '../support/flow';

const T = Date.UTC(2026, 10, 20, 12);
const DEVICE = 'ffffffffffff0001';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lorua-questions-'));
});
afterEach(async () => {
  await stopFlow();
  rmSync(folder, { recursive: true, force: true });
});

const helper = (id: string): FlowNode => ({ id, type: 'helper', wires: [] });

function flow(wires: readonly (readonly string[])[], database: Record<string, unknown> = {}): FlowNode[] {
  return [
    { id: 'database', type: 'gateway-database', backend: 'memory', file: '', retentionDays: '0', ...database },
    { id: 'store', type: 'metric-store', database: 'database', sendRestored: true, wires },
    { id: 'admin', type: 'gateway-admin', database: 'database', wires: [['told']] },
    { id: 'catch', type: 'catch', scope: null, uncaught: false, wires: [['caught']] },
    ...['stored', 'answers', 'told', 'caught'].map(helper),
  ];
}

async function start(
  wires: readonly (readonly string[])[] = [['stored'], ['answers']],
  database: Record<string, unknown> = {},
): Promise<Record<'stored' | 'answers' | 'told' | 'caught', FlowMessage[]>> {
  await startFlow(flow(wires, database), { userDir: folder });
  return {
    stored: collect('stored'),
    answers: collect('answers'),
    told: collect('told'),
    caught: collect('caught'),
  };
}

function writtenBy([answer]: readonly FlowMessage[]): HistoryExport {
  assert.ok(answer);
  return answer.payload as HistoryExport;
}

const giveReading = (time: number, payload: Record<string, unknown>): void =>
  give('store', { device: { devEui: DEVICE }, time, payload });

describe('metric-store', () => {
  test('answers page by page, when its answers are wired back', async () => {
    const { stored, answers, caught } = await start([['stored'], ['answers', 'store']]);
    for (let index = 0; index < 1_000; index++) giveReading(T + index, { t: index });
    await eventually(() => stored.length === 1_000, 'the readings');
    give('store', {
      topic: 'history.raw',
      payload: { devEui: DEVICE, metric: 't', limit: 300 },
      kept: 7,
    });
    await eventually(() => answers.at(-1)?.complete === true, 'the last page');
    const pages = answers.map(({ payload }) => payload as HistoryAnswer);
    assert.deepEqual(
      pages.map(({ values }) => values.length),
      [300, 300, 300, 100],
    );
    assert.deepEqual(
      pages.flatMap(({ values }) => values.map(({ value }) => value)),
      Array.from({ length: 1_000 }, (_, index) => index),
    );
    assert.ok(answers.every(({ kept, topic }) => kept === 7 && topic === 'history.raw'));
    assert.deepEqual(
      answers.map(({ next }) => next),
      pages.map(({ next }) => next),
    );
    assert.ok(!('next' in (answers.at(-1) ?? {})));
    assert.equal(stored.length, 1_000, 'answers are no readings');
    assert.deepEqual(caught, []);
    assert.deepEqual(logged(20), []);
  });

  test('answers current values and aggregates', async () => {
    const { answers } = await start();
    for (const [minute, value] of [1, 2, 3, 6].entries()) giveReading(T + minute * 60_000, { t: value });
    give('store', { topic: 'values.latest', payload: { devEui: DEVICE } });
    give('store', {
      topic: 'history.processed',
      payload: { devEui: DEVICE, aggregate: 'Average', from: T, to: '2026-11-20T12:04:00Z', interval: '2min' },
    });
    await eventually(() => answers.length === 2, 'both answers');
    const latest = answers.find(({ topic }) => topic === 'values.latest')?.payload as {
      devices: { payload: unknown }[];
    };
    assert.deepEqual(latest.devices[0]?.payload, { t: 6 });
    const averages = answers.find(({ topic }) => topic === 'history.processed')?.payload as HistoryAnswer;
    assert.deepEqual(
      averages.values.map(({ value }) => value),
      [1.5, 4.5],
    );
  });

  test('of a flow with one output stores as before, and answers nobody', async () => {
    const { stored, answers, caught } = await start([['stored']]);
    giveReading(T, { t: 1 });
    give('store', { topic: 'history.raw', payload: { devEui: DEVICE } });
    giveReading(T + 1, { t: 2 });
    await eventually(() => stored.length === 2, 'the readings');
    assert.deepEqual(answers, []);
    assert.deepEqual(caught, []);
  });

  test('gives Catch what is wrong with a question', async () => {
    const { answers, caught } = await start();
    giveReading(T, { t: 1 });
    give('store', { topic: 'history.raw', payload: { devEui: 'hall', limit: 0 }, kept: 7 });
    give('store', { topic: 'history.export', payload: { file: '../../settings.js' } });
    await eventually(() => caught.length === 2, 'the errors');
    assert.match(errorOf(caught[0]), /payload\.devEui is "hall": .*\n.*payload\.limit is 0/);
    assert.equal(caught[0]?.kept, 7);
    assert.match(errorOf(caught[1]), /payload\.file is "\.\.\/\.\.\/settings\.js": it is the name of a file/);
    assert.deepEqual(answers, []);
    assert.ok(!readdirSync(folder).includes('exports'));
  });

  test('exports into the user folder, and the export is accounted for', async () => {
    const { answers, told, caught } = await start();
    giveReading(T, { t: 21.5, note: '=1+1', n: 9_007_199_254_740_993n });
    give('store', {
      topic: 'history.export',
      payload: { file: 'report', format: 'csv' },
      _client: { user: { userId: 'eve' } },
    });
    await eventually(() => answers.length + caught.length > 0, 'the export');
    assert.deepEqual(caught.map(errorOf), []);
    const { path, rows } = writtenBy(answers);
    assert.equal(path, join(folder, 'exports', 'report.csv'));
    assert.equal(rows, 3);
    const row = (metric: string, value: string): string =>
      `2026-11-20T12:00:00.000Z,${DEVICE},${DEVICE},${metric},${value},Good,flow\r\n`;
    assert.equal(
      readFileSync(path, 'utf8'),
      `time,device,devEui,metric,value,quality,origin\r\n${row('t', '21.5')}${row('note', "'=1+1")}${row('n', '9007199254740993')}`,
    );
    give('admin', { topic: 'audit.list', payload: {} });
    await eventually(() => told.length === 1, 'the audit journal');
    const answer = told[0]?.payload as Answer;
    assert.ok(answer.ok);
    assert.deepEqual(
      (answer.result as EntryList).entries.map(({ type, user }) => [type, user]),
      [['history.export', 'eve']],
    );
  });

  test('backs up a database that opens', async () => {
    const { answers, caught } = await start(undefined, { backend: 'sqlite', file: 'mine.db' });
    giveReading(T, { t: 21.5 });
    give('store', { topic: 'database.backup', payload: { keep: 3 } });
    await eventually(() => answers.length + caught.length > 0, 'the backup');
    assert.deepEqual(caught.map(errorOf), []);
    const { path } = writtenBy(answers);
    assert.deepEqual(readdirSync(join(folder, 'backups')).length, 1);
    const copy = new SqliteBackend(path, systemClock);
    const { metrics, currents } = await copy.open({ replaceDamaged: false });
    await copy.close({ clean: true });
    assert.equal(metrics.length, 1);
    assert.equal(currents.length, 1);
  });

  test('keeps device events in their journal, each once, and passes them on', async () => {
    const { stored, told, caught } = await start();
    const event = {
      topic: 'device-event',
      event: { type: 'join', devAddr: '01020304', replayed: false, eventId: 'e1' },
      device: { devEui: DEVICE, name: 'Hall' },
      time: T,
    };
    give('store', event);
    give('store', { ...event, event: { ...event.event, replayed: true } });
    give('store', { ...event, event: { type: 'coffee' } });
    await eventually(() => stored.length === 2 && caught.length === 1, 'the events');
    assert.deepEqual(stored[0]?.event, event.event);
    assert.match(errorOf(caught[0]), /msg\.event/);
    await eventually(async () => {
      give('admin', { topic: 'events.list', payload: { devEui: DEVICE } });
      const answer = await eventually(() => told.pop()?.payload as Answer | undefined, 'the answer');
      return answer.ok && (answer.result as EntryList).entries.length === 1;
    }, 'the journal');
  });
});

describe('gateway-database', () => {
  test('takes rules, sizes and retentions as the form and the environment give them', async () => {
    await start(undefined, {
      maximumSizeMegabytes: '500',
      rules: [
        { device: 'FF-FF-FF-FF-FF-FF-00-01', metric: '*', retentionDays: '30', deadband: '' },
        { device: '*', metric: 't', retentionDays: '', deadband: '0,5' },
      ],
      eventDays: '1',
      auditDays: '',
      commandDays: '0',
    });
    const { service } = node('database') as GatewayDatabaseNode;
    assert.ok(service);
    const { file: _, ...settings } = parseStoreSettings({ backend: 'memory', retentionDays: 0 });
    assert.deepEqual(service.settings, {
      ...settings,
      maximumSize: 500_000_000,
      rules: [
        { device: DEVICE, metric: '*', retentionDays: 30 },
        { device: '*', metric: 't', deadband: 0.5 },
      ],
      eventDays: 1,
      commandDays: 0,
    });
  });

  test('says each fault of them', async () => {
    await start(undefined, {
      maximumSizeMegabytes: '1',
      rules: [{ device: 'hall', metric: '*', retentionDays: '', deadband: '-1' }],
      eventDays: 'x',
    });
    const errors = logRecords()
      .filter(({ level, id }) => level === 20 && id === 'database')
      .map(({ lorua }) => String(lorua?.entry.message));
    assert.deepEqual(
      errors.map((error) => error.replace(/ .*/, '')).toSorted((a, b) => (a < b ? -1 : 1)),
      ['eventDays', 'maximumSizeMegabytes', 'rules[0].deadband', 'rules[0].device'],
    );
  });
});

describe('the example "history"', () => {
  test('answers what its buttons ask', async () => {
    const example = await startExample('08 - history.json', {
      coreNodes: ['common/20-inject.js', 'function/10-function.js', 'function/10-switch.js'],
      userDir: folder,
    });
    const answers = collect(example.named('Answers').id);
    const points = collect(example.named('Points: x = time, y = value').id);
    const faults = collect(example.named('Faults').id);
    for (let press = 0; press < 3; press++) give(example.named('A reading').id, {});
    await eventually(() => {
      const { service } = node(example.ofType('gateway-database').id) as GatewayDatabaseNode;
      return service !== undefined && [...service.store.metrics.all()].length === 2;
    }, 'the readings');
    const buttons = ['Last 24 h as stored', 'Last 24 h, hourly average', 'Export as CSV'];
    for (const [index, button] of buttons.entries()) {
      give(example.named(button).id, {});
      await eventually(() => answers.length + faults.length > index, button);
    }
    give(example.named('Backup at 2 o’clock each night, seven are kept').id, {});
    await eventually(() => answers.length + faults.length === 4, 'the backup');
    assert.deepEqual(faults.map(errorOf), []);
    const [raw, averages, exported] = answers.map(({ payload }) => payload);
    assert.ok((raw as HistoryAnswer).values.length > 0);
    assert.ok((averages as HistoryAnswer).values.length >= 24);
    assert.ok((exported as HistoryExport).rows > 0);
    assert.equal(readdirSync(join(folder, 'backups')).length, 1);
    assert.equal(points.length, 2);
    for (const { payload } of points)
      for (const { time, value } of payload as { time: unknown; value: unknown }[])
        assert.deepEqual([typeof time, typeof value], ['number', 'number']);
  });
});
