/** Values of history as answers and exports show them. */
import {
  HISTORIAN_BITS,
  HISTORY_STATUS,
  type HistoryValue,
  type MetricKey,
  type MetricValue,
  type Origin,
  qualityFromCode,
} from '../model';

export interface HistoryRow {
  readonly metric: MetricKey;
  /** ms UTC. */
  readonly time: number;
  /** Int64 as text, because JSON has no 64-bit integers; `null` where nothing is known. */
  readonly value: number | boolean | string | null;
  /** Name of the OPC UA status code. */
  readonly quality: string;
  /** The status code itself, with its aggregate bits (Part 13 §5.3.3). */
  readonly status: number;
  /** Where a stored value came from. */
  readonly origin?: Origin;
  /** Another value was stored for this instant before. */
  readonly corrected?: true;
  /** When it was replaced, ms UTC; only of `history.modified`. */
  readonly modifiedAt?: number;
  /** What is not stored as it is. */
  readonly source?: 'calculated' | 'interpolated';
  /** The interval is not covered by data as a whole. */
  readonly partial?: true;
}

const HISTORY_NAMES = new Map<number, string>(Object.entries(HISTORY_STATUS).map(([name, code]) => [code, name]));
/** The low 16 bits say more about a value, not which status it has (Part 4 §7.39.1). */
const CODE_MASK = 0xffff_0000;

/** Name of a status code, whatever its low bits say besides. */
export function statusName(status: number): string {
  const code = (status & CODE_MASK) >>> 0;
  return HISTORY_NAMES.get(code) ?? qualityFromCode(code);
}

/** A value that JSON can carry without loss. */
export function plainValue(value: MetricValue | undefined): number | boolean | string | null {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  return value ?? null;
}

export function historyRow(metric: MetricKey, value: HistoryValue): HistoryRow {
  const { time, status, origin, corrected, modifiedAt } = value;
  const bits = (status & HISTORIAN_BITS.InfoTypeDataValue) === 0 ? 0 : status;
  const source = bits & 0b11;
  return {
    metric,
    time,
    value: plainValue(value.value),
    quality: statusName(status),
    status,
    ...(origin === undefined ? {} : { origin }),
    ...(corrected === undefined ? {} : { corrected }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(source === HISTORIAN_BITS.Calculated ? { source: 'calculated' as const } : {}),
    ...(source === HISTORIAN_BITS.Interpolated ? { source: 'interpolated' as const } : {}),
    ...((bits & HISTORIAN_BITS.Partial) === 0 ? {} : { partial: true as const }),
  };
}
