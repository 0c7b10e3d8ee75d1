import { open } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import { display, type HistoryRequest, InvalidInputError, type RawHistoryRequest } from '../model';
import type { AdministrationStore } from './dependencies';
import { EXPORT_FORMATS, type ExportedSeries, FORMATS } from './export-formats';
import { checkRange, optionalInstant } from './instants';
import { datedName, fileField, type OutputFolder, withExtension } from './output-files';
import { applicationField, devEuiField, devicesField, metricField, metricsField, namedMetrics } from './targets';
import { chosenDevices } from './values-latest';

export const exportPayload = z.strictObject({
  devEui: devEuiField,
  devices: devicesField,
  applicationId: applicationField,
  metric: metricField,
  metrics: metricsField,
  from: optionalInstant,
  to: optionalInstant,
  format: z.enum(EXPORT_FORMATS).default('csv'),
  file: fileField,
});

/** A file that was written. */
export interface WrittenFile {
  /** Its name in its folder. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  readonly bytes: number;
  /** There is no more to come: an export and a backup are one answer. */
  readonly complete: true;
}

export interface HistoryExport extends WrittenFile {
  readonly rows: number;
}

/** Values in memory at a time. */
const PAGE = 1_000;

/**
 * Writes history into a file, page by page: device after device, metric after metric, oldest first. Without `from` from
 * the beginning, without `to` until now.
 * @throws InvalidInputError, an error of the storage, or of the file system
 */
export async function exportHistory(
  store: AdministrationStore,
  folder: OutputFolder,
  now: number,
  payload: z.output<typeof exportPayload>,
  signal: AbortSignal,
): Promise<HistoryExport> {
  const from = payload.from?.(now) ?? 0;
  const to = payload.to?.(now) ?? now;
  checkRange(from, to);
  const series = exportedSeries(store, payload);
  const { header, line } = FORMATS[payload.format];
  const file = withExtension(payload.file ?? datedName('history', now, payload.format), payload.format);
  return folder.make(file, async (part) => {
    const handle = await open(part, 'wx');
    try {
      let rows = 0;
      let bytes = Buffer.byteLength(header);
      await handle.appendFile(header);
      for (const one of series) {
        let request: HistoryRequest | undefined = firstRequest(one, from, to);
        while (request !== undefined) {
          signal.throwIfAborted();
          const page = await store.readHistory(request, signal);
          const text = page.values.map((value) => line(one, value)).join('');
          rows += page.values.length;
          bytes += Buffer.byteLength(text);
          await handle.appendFile(text);
          request = page.next;
          // Reading and writing may both be quick: values that arrive meanwhile must not wait for the end.
          await turn();
        }
      }
      return { file, path: folder.pathOf(file), bytes, rows, complete: true };
    } finally {
      await handle.close();
    }
  });
}

function firstRequest({ devEui, metric }: ExportedSeries, start: number, end: number): RawHistoryRequest {
  return {
    kind: 'raw',
    devEui,
    metric,
    order: 'ascending',
    start,
    end,
    limit: PAGE,
    bounds: { start: false, end: false },
  };
}

function exportedSeries(store: AdministrationStore, payload: z.output<typeof exportPayload>): ExportedSeries[] {
  const { devEui, devices, applicationId } = payload;
  const inventory = store.inventory.merged();
  const wanted = namedMetrics(payload.metric, payload.metrics);
  const keys = wanted && new Set(wanted);
  const series: ExportedSeries[] = [];
  for (const candidate of chosenDevices(store, inventory, devEui, devices)) {
    const device = inventory.devices.get(candidate);
    if (applicationId !== undefined && device?.applicationId !== applicationId) continue;
    for (const { key } of store.metrics.ofDevice(candidate))
      if (keys === undefined || keys.has(key))
        series.push({ device: device?.name ?? candidate, devEui: candidate, metric: key });
  }
  if (series.length > 0) return series;
  throw new InvalidInputError([
    {
      field: 'payload',
      value: display({ devEui, devices, applicationId, metrics: wanted }),
      rule: 'it chooses at least one metric that the gateway knows',
      cure: 'Ask values.latest for devices and metrics, or leave the filters out.',
    },
  ]);
}
