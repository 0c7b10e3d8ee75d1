/** Reads what a gateway needs at its start. */
import type { Database } from 'better-sqlite3';
import { type DevEui, type EventId, MEASUREMENT_KINDS, type SourceId } from '../../model';
import type { InventoryKind, InventoryRecord, SeenEvent, StoredState } from '../backend';
import { type SampleColumns, SampleColumnsBuilder, SampleFlag, ValueType } from '../columns';
import { dataTypeNumber, kindNumber, type MetricColumns, MetricColumnsBuilder } from '../metric-columns';
import type { LoadedValues } from './protocol';
import { type SampleRow, sampleOfRow, valueOf } from './rows';

/** Everything but last values and gaps. */
export function loadState(database: Database): Omit<StoredState, keyof LoadedValues> {
  return {
    metrics: loadMetrics(database),
    events: database
      .prepare<[], { devEui: DevEui; sequence: number; eventId: EventId }>(
        'SELECT dev_eui AS devEui, sequence, event_id AS eventId FROM seen_events ORDER BY dev_eui, sequence',
      )
      .all() satisfies SeenEvent[],
    inventory: database
      .prepare<[], { source: SourceId; kind: InventoryKind; id: string; body: string }>(
        'SELECT source, kind, id, body FROM inventory',
      )
      .all() satisfies InventoryRecord[],
  };
}

/** Rows fetched at once: what is made of them dies young and costs little. */
const ROWS_AT_ONCE = 4_096;
/** Stands between texts that are fetched as one: making 300,000 small strings one by one takes most of the time. */
const SEPARATOR = '\u001e';

function loadMetrics(database: Database): MetricColumns {
  const number = (column: string, names: readonly string[], numberOf: (name: string) => number): string =>
    `CASE ${column} ${names.map((name) => `WHEN '${name}' THEN ${numberOf(name)}`).join(' ')} ELSE 0 END`;
  const kind = number('kind', MEASUREMENT_KINDS, kindNumber);
  const dataType = number('data_type', Object.keys(ValueType), dataTypeNumber);
  const separator = `|| char(${SEPARATOR.charCodeAt(0)}) ||`;
  const joined = database
    .prepare<[number, bigint], [texts: string | null, types: string | null]>(
      `SELECT group_concat(metric_id ${separator} dev_eui ${separator} key ${separator}
           CASE name WHEN key THEN '' ELSE name END, '${SEPARATOR}'),
         group_concat((${kind}) || (${dataType}), '')
       FROM (SELECT * FROM metrics WHERE metric_id > ? ORDER BY metric_id LIMIT ?)`,
    )
    .raw();
  const columns = new MetricColumnsBuilder();
  for (let last = 0; ; ) {
    const [text, types] = joined.get(last, BigInt(ROWS_AT_ONCE)) ?? [null, null];
    if (text === null || types === null) return columns.built();
    const texts = text.split(SEPARATOR);
    // A key or name may hold the separator itself.
    if (texts.length !== types.length * 2) return loadMetricsByRow(database);
    for (let index = 0; index < texts.length; index += 4) {
      last = Number(texts[index]);
      const key = texts[index + 2] as string;
      columns.add(
        last,
        texts[index + 1] as string,
        key,
        // Most are called as their key, and none is called nothing.
        texts[index + 3] || key,
        Number(types[index / 2]),
        Number(types[index / 2 + 1]) as ValueType,
      );
    }
  }
}

function loadMetricsByRow(database: Database): MetricColumns {
  const columns = new MetricColumnsBuilder();
  const rows = database
    .prepare<[], [number, string, string, string, string, string | null]>(
      'SELECT metric_id, dev_eui, key, name, kind, data_type FROM metrics',
    )
    .raw()
    .iterate();
  for (const [id, devEui, key, name, kind, dataType] of rows)
    columns.add(id, devEui, key, name, kindNumber(kind), dataTypeNumber(dataType));
  return columns.built();
}

/** The last value of each metric. */
export function loadCurrents(database: Database): SampleColumns {
  // Numbers hold everything but 64-bit integers, and cost much less than BigInts.
  const isInteger = `(flags & ${SampleFlag.TypeMask}) = ${ValueType.Int64}`;
  const select = 'SELECT metric_id, time, status, flags, value FROM current_values WHERE';
  const others = database
    .prepare<[number, bigint], [number, number, number, number, number | string | null]>(
      `${select} metric_id > ? AND NOT ${isInteger} ORDER BY metric_id LIMIT ?`,
    )
    .raw();
  const columns = new SampleColumnsBuilder();
  for (let last = 0; ; ) {
    const rows = others.all(last, BigInt(ROWS_AT_ONCE));
    for (const [metric, time, status, flags, value] of rows) {
      last = metric;
      columns.add(metric, time, status, flags, valueOf(value, flags));
    }
    if (rows.length < ROWS_AT_ONCE) break;
  }
  for (const row of database.prepare<[], SampleRow>(`${select} ${isInteger}`).raw().safeIntegers().iterate()) {
    const { metric, time, status, flags, value } = sampleOfRow(row);
    columns.add(metric, time, status, flags, value);
  }
  return columns.trimmed();
}

/**
 * Current values are written less often than history. After a crash the newest value of history is what was known last.
 * Two steps in the index for each metric, however large history is: CROSS JOIN keeps SQLite from scanning all of it.
 */
export function completeCurrentValues(database: Database): void {
  database.exec(`
    INSERT INTO current_values (metric_id, time, status, flags, value)
    SELECT h.metric_id, h.time, h.status, h.flags, h.value
    FROM metrics m
    LEFT JOIN current_values c ON c.metric_id = m.metric_id
    CROSS JOIN history h ON h.metric_id = m.metric_id
      AND h.time = (SELECT max(time) FROM history WHERE metric_id = m.metric_id AND value IS NOT NULL)
    WHERE c.metric_id IS NULL OR h.time > c.time
    ON CONFLICT (metric_id) DO UPDATE
    SET time = excluded.time, status = excluded.status, flags = excluded.flags, value = excluded.value
  `);
}
