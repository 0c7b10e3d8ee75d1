/** Reads what a gateway needs at its start. */
import type { Database } from 'better-sqlite3';
import type { DevEui, EventId, SourceId } from '../../model';
import type { InventoryKind, InventoryRecord, SeenEvent, StoredState } from '../backend';
import type { SampleColumns } from '../columns';
import { dataTypeNumber, kindNumber, type MetricColumns, MetricColumnsBuilder } from '../metric-columns';
import { columnsOf, type SampleRow } from './rows';

/** Everything but gaps, which whoever writes samples knows. */
export function loadState(database: Database): Omit<StoredState, 'gaps'> {
  return {
    metrics: loadMetrics(database),
    currents: loadCurrents(database),
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

function loadMetrics(database: Database): MetricColumns {
  const columns = new MetricColumnsBuilder();
  const rows = database
    .prepare<[], [number, string, string, string, string, string | null]>(
      'SELECT metric_id, dev_eui, key, name, kind, data_type FROM metrics ORDER BY metric_id',
    )
    .raw()
    .iterate();
  for (const [id, devEui, key, name, kind, dataType] of rows)
    columns.add(id, devEui, key, name, kindNumber(kind), dataTypeNumber(dataType));
  return columns.built();
}

function loadCurrents(database: Database): SampleColumns {
  return columnsOf(
    database
      .prepare<[], SampleRow>('SELECT metric_id, time, status, flags, value FROM current_values')
      .raw()
      .safeIntegers()
      .iterate(),
  );
}

/**
 * Current values are written less often than history. After a crash the newest value of history is what was known last.
 */
export function completeCurrentValues(database: Database): void {
  database.exec(`
    INSERT INTO current_values (metric_id, time, status, flags, value)
    SELECT h.metric_id, h.time, h.status, h.flags, h.value
    FROM metrics m
    JOIN history h ON h.metric_id = m.metric_id
      AND h.time = (SELECT max(time) FROM history WHERE metric_id = m.metric_id AND value IS NOT NULL)
    LEFT JOIN current_values c ON c.metric_id = m.metric_id
    WHERE c.metric_id IS NULL OR h.time > c.time
    ON CONFLICT (metric_id) DO UPDATE
    SET time = excluded.time, status = excluded.status, flags = excluded.flags, value = excluded.value
  `);
}
