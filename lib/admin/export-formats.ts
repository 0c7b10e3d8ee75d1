/** Forms of exported history. Numbers and times never depend on the language of the machine. */
import type { DevEui, HistoryValue, MetricKey } from '../model';
import { plainValue, statusName } from './history-rows';

export const EXPORT_FORMATS = ['csv', 'ndjson'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportedSeries {
  readonly device: string;
  readonly devEui: DevEui;
  readonly metric: MetricKey;
}

interface Format {
  readonly header: string;
  readonly line: (series: ExportedSeries, value: HistoryValue) => string;
}

const COLUMNS = ['time', 'device', 'devEui', 'metric', 'value', 'quality', 'origin'];
const SPECIAL = /[",\r\n]|^\s|\s$/;
/**
 * A spreadsheet takes a cell that begins so for a formula, and would run it: device names and texts come from outside.
 * An apostrophe is put in front, also of texts that begin with one, so that taking the first one away gives the text.
 */
const FORMULA = /^[=+\-@\t\r']/;

/** A text as a cell of a CSV file (RFC 4180 §2). */
function textCell(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return SPECIAL.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const FORMATS: Readonly<Record<ExportFormat, Format>> = {
  csv: {
    header: `${COLUMNS.join(',')}\r\n`,
    line: ({ device, devEui, metric }, { time, value, status, origin }) => {
      const plain = plainValue(value);
      const cells = [
        new Date(time).toISOString(),
        textCell(device),
        devEui,
        textCell(metric),
        typeof value === 'string' ? textCell(value) : String(plain ?? ''),
        statusName(status),
        origin ?? '',
      ];
      return `${cells.join(',')}\r\n`;
    },
  },
  ndjson: {
    header: '',
    line: ({ device, devEui, metric }, { time, value, status, origin }) => {
      const row = {
        time: new Date(time).toISOString(),
        device,
        devEui,
        metric,
        value: plainValue(value),
        quality: statusName(status),
        ...(origin === undefined ? {} : { origin }),
      };
      return `${JSON.stringify(row)}\n`;
    },
  },
};
