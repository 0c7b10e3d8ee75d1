/** What is written as OPC UA sends it is read back by node-opcua's own decoder. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MetricValue } from '../../../lib/model';
import { encodePage } from '../../../lib/store/history';
import { BAD, columnsOf, GOOD, type Row, target, UNCERTAIN } from './history-support';

interface Decoded {
  readonly time: number | undefined;
  readonly status: number;
  readonly dataType: number | undefined;
  readonly value: unknown;
}

async function decode(bytes: Uint8Array): Promise<Decoded[]> {
  const { BinaryStream, decodeDataValue } = await import('node-opcua');
  const stream = new BinaryStream(Buffer.from(bytes));
  const count = stream.readInteger();
  const values = Array.from({ length: count }, () => {
    const { sourceTimestamp, statusCode, value } = decodeDataValue(stream);
    return {
      time: sourceTimestamp?.getTime(),
      status: statusCode.value,
      dataType: value.value === null ? undefined : value.dataType,
      value: value.value === null ? undefined : value.value,
    };
  });
  assert.equal(stream.length, bytes.length, 'nothing is left over');
  return values;
}

/** node-opcua gives a 64-bit integer as its two halves. */
function halves(value: bigint): number[] {
  const bits = BigInt.asUintN(64, value);
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}

const [BOOLEAN, INT32, INT64, DOUBLE, STRING, STATUS_CODE] = [1, 6, 8, 11, 12, 19];

describe('pages as OPC UA sends them', () => {
  const now = Date.UTC(2024, 5, 1, 12, 30, 15, 123);
  const rows: Row[] = [
    { time: now, value: 20.5, status: GOOD },
    { time: now + 1, value: -0.1, status: UNCERTAIN },
    { time: 0, value: 9_007_199_254_740_993n, status: GOOD },
    { time: -1, value: -1n, status: GOOD },
    { time: now, value: true, status: GOOD },
    { time: now, value: false, status: 0x4090_0000 },
    { time: now, value: '', status: GOOD },
    { time: now, value: 'größer als 30 °C 🌡', status: GOOD },
    { time: now, value: undefined, status: BAD },
    { time: 8.64e15 - 1, value: Number.NaN, status: GOOD },
  ];
  const expected: [number, MetricValue | number[] | undefined][] = [
    [DOUBLE, 20.5],
    [DOUBLE, -0.1],
    [INT64, halves(9_007_199_254_740_993n)],
    [INT64, halves(-1n)],
    [BOOLEAN, true],
    [BOOLEAN, false],
    [STRING, ''],
    [STRING, 'größer als 30 °C 🌡'],
  ];

  test('hold value, status and time of every type', async () => {
    const page = encodePage({ columns: columnsOf(rows) }, { sourceTimestamps: true });
    assert.equal(page.count, rows.length);
    const values = await decode(page.bytes);
    assert.deepEqual(
      values.map(({ time, status }) => [time, status]).slice(0, -1),
      rows.map(({ time, status }) => [time, status]).slice(0, -1),
    );
    assert.deepEqual(
      values.slice(0, expected.length).map(({ dataType, value }) => [dataType, value]),
      expected,
    );
    assert.equal(values[8]?.value, undefined);
    assert.ok(Number.isNaN(values[9]?.value));
  });

  test('leave timestamps out where nobody wants them', async () => {
    const page = encodePage({ columns: columnsOf(rows) }, { sourceTimestamps: false });
    const values = await decode(page.bytes);
    assert.ok(values.every(({ time }) => time === undefined));
    assert.deepEqual(
      values.map(({ status }) => status),
      rows.map(({ status }) => status),
    );
  });

  test('are exactly as long as what is in them, so that they can be handed over', () => {
    const { bytes } = encodePage({ columns: columnsOf(rows) }, { sourceTimestamps: true });
    assert.equal(bytes.byteLength, bytes.buffer.byteLength);
    assert.deepEqual([...encodePage({ columns: columnsOf([]) }, { sourceTimestamps: true }).bytes], [0, 0, 0, 0]);
  });

  test('write counts and status codes in their own types', async () => {
    const columns = columnsOf([
      { time: now, value: 3, status: 0x401 },
      { time: now + 1, value: 0x8031_0000, status: 0x401 },
    ]);
    const [count] = await decode(encodePage({ columns, valueType: 'Int32' }, { sourceTimestamps: true }).bytes.slice());
    assert.deepEqual([count?.dataType, count?.value, count?.status], [INT32, 3, 0x401]);
    const codes = await decode(encodePage({ columns, valueType: 'StatusCode' }, { sourceTimestamps: true }).bytes);
    assert.equal(codes[1]?.dataType, STATUS_CODE);
    assert.deepEqual(String(codes[1]?.value), 'BadNoCommunication (0x80310000)');
  });

  test('keep what else a page says', () => {
    const columns = columnsOf(rows.slice(0, 1));
    const next = { kind: 'at-time', ...target, times: [1], useSimpleBounds: false } as const;
    const page = encodePage({ columns, modifiedAt: Float64Array.of(7), next }, { sourceTimestamps: true });
    assert.deepEqual(page.modifiedAt, [7]);
    assert.equal(page.next, next);
  });

  test('grow with long texts', async () => {
    const long = 'ü'.repeat(100_000);
    const columns = columnsOf([
      { time: now, value: long, status: GOOD },
      { time: now + 1, value: 'end', status: GOOD },
    ]);
    const values = await decode(encodePage({ columns }, { sourceTimestamps: true }).bytes);
    assert.deepEqual(
      values.map(({ value }) => value),
      [long, 'end'],
    );
  });

  test('round fractions of a ms to ticks of 100 ns', async () => {
    const { bytes } = encodePage(
      { columns: columnsOf([{ time: 0.3, value: 1, status: 0 }]) },
      { sourceTimestamps: true },
    );
    const ticks = Buffer.from(bytes).readBigInt64LE(bytes.length - 8);
    assert.equal(ticks, 116_444_736_000_000_000n + 3_000n);
  });
});
