/**
 * Samples by column: numbers in typed arrays, which cross from thread to thread as one copy of memory however many
 * they are. A row of objects costs some twenty times as much.
 */
import { type MetricDataType, type MetricValue, ORIGINS, type Origin } from '../model';

/** What kind of value a sample holds, as it is kept. Never renumber: it is in databases. */
export const ValueType = { None: 0, Double: 1, Int64: 2, Boolean: 3, String: 4 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

/** What else is known of a sample; a set of bits. Never renumber: it is in databases. */
export const SampleFlag = {
  /** Low three bits: {@link ValueType}. */
  TypeMask: 0b111,
  /** Bits 3 to 5: origin, as its place in ORIGINS. */
  OriginShift: 3,
  OriginMask: 0b111,
  /** It came after newer samples of its metric. */
  Late: 1 << 6,
  /** It took the place of another value at the same time. */
  Corrected: 1 << 7,
} as const;

/** Read-only view; all arrays have at least `length` elements. */
export interface SampleColumns {
  readonly length: number;
  readonly metric: Int32Array;
  /** Source time, whole ms UTC. */
  readonly time: Float64Array;
  /** OPC UA status code. */
  readonly status: Uint32Array;
  readonly flags: Uint8Array;
  /**
   * Eight bytes a sample: a double, a signed 64-bit integer, 0 or 1 for a boolean, the place in `texts` for a string.
   * See the doubles through a Float64Array, the rest through a BigInt64Array.
   */
  readonly values: Float64Array;
  readonly texts: readonly string[];
}

/** One sample, as {@link sampleAt} gives it. */
export interface Sample {
  readonly metric: number;
  readonly time: number;
  readonly status: number;
  readonly flags: number;
  readonly value: MetricValue | undefined;
  /** Only of a gap that says so: see {@link gapAfter}. */
  readonly after?: number | undefined;
}

export function valueTypeOf(value: MetricValue | undefined): ValueType {
  switch (typeof value) {
    case 'number':
      return ValueType.Double;
    case 'bigint':
      return ValueType.Int64;
    case 'boolean':
      return ValueType.Boolean;
    case 'string':
      return ValueType.String;
    default:
      return ValueType.None;
  }
}

export const DATA_TYPES: Readonly<Record<ValueType, MetricDataType | undefined>> = {
  [ValueType.None]: undefined,
  [ValueType.Double]: 'Double',
  [ValueType.Int64]: 'Int64',
  [ValueType.Boolean]: 'Boolean',
  [ValueType.String]: 'String',
};

export function sampleFlags(value: MetricValue | undefined, origin: Origin, late: boolean): number {
  return valueTypeOf(value) | (ORIGINS.indexOf(origin) << SampleFlag.OriginShift) | (late ? SampleFlag.Late : 0);
}

export function originOfFlags(flags: number): Origin {
  return ORIGINS[(flags >> SampleFlag.OriginShift) & SampleFlag.OriginMask] ?? 'flow';
}

/** Flags of a gap: no value, and no event stands behind it. See gaps.ts. */
export const GAP_FLAGS = sampleFlags(undefined, 'stale', false);

/** Whether flags are those of a gap. */
export function isGap(flags: number): boolean {
  return (flags & (SampleFlag.TypeMask | (SampleFlag.OriginMask << SampleFlag.OriginShift))) === GAP_FLAGS;
}

/**
 * Source time of the last value that was known when a gap was recognised, ms UTC: a value between it and the gap refutes
 * the gap. It stands where a sample has its value. `undefined` for samples, and where nobody says.
 */
export function gapAfter(columns: SampleColumns, index: number): number | undefined {
  return isGap(columns.flags[index] ?? 0) ? columns.values[index] || undefined : undefined;
}

/** The value at one place. `integers` must be a BigInt64Array over the memory of `columns.values`. */
export function valueAt(columns: SampleColumns, integers: BigInt64Array, index: number): MetricValue | undefined {
  const type = (columns.flags[index] ?? 0) & SampleFlag.TypeMask;
  switch (type) {
    case ValueType.Double:
      return columns.values[index];
    case ValueType.Int64:
      return integers[index];
    case ValueType.Boolean:
      return columns.values[index] !== 0;
    case ValueType.String:
      return columns.texts[columns.values[index] ?? 0];
    default:
      return undefined;
  }
}

/** Sees the eight-byte values as 64-bit integers. */
export function integersOf(columns: SampleColumns): BigInt64Array {
  return new BigInt64Array(columns.values.buffer, columns.values.byteOffset, columns.values.length);
}

/** All samples as objects, for tests and where there are few. */
export function* samplesOf(columns: SampleColumns): Generator<Sample> {
  const integers = integersOf(columns);
  for (let index = 0; index < columns.length; index++)
    yield {
      metric: columns.metric[index] ?? 0,
      time: columns.time[index] ?? 0,
      status: columns.status[index] ?? 0,
      flags: columns.flags[index] ?? 0,
      value: valueAt(columns, integers, index),
      after: gapAfter(columns, index),
    };
}

const FIRST_CAPACITY = 256;

/** Columns that grow as samples are added. */
export class SampleColumnsBuilder implements SampleColumns {
  length = 0;
  metric: Int32Array<ArrayBuffer>;
  time: Float64Array<ArrayBuffer>;
  status: Uint32Array<ArrayBuffer>;
  flags: Uint8Array<ArrayBuffer>;
  values: Float64Array<ArrayBuffer>;
  texts: string[] = [];
  /** UTF-16 units in `texts`. */
  textLength = 0;
  #integers: BigInt64Array;

  constructor(capacity = FIRST_CAPACITY) {
    this.metric = new Int32Array(capacity);
    this.time = new Float64Array(capacity);
    this.status = new Uint32Array(capacity);
    this.flags = new Uint8Array(capacity);
    this.values = new Float64Array(capacity);
    this.#integers = integersOf(this);
  }

  /** @param flags see {@link sampleFlags}; its type must be the one of `value`, which in a gap is {@link gapAfter} */
  add(metric: number, time: number, status: number, flags: number, value: MetricValue | undefined): void {
    if (this.length === this.metric.length) this.#grow();
    const index = this.length++;
    this.metric[index] = metric;
    this.time[index] = time;
    this.status[index] = status;
    this.flags[index] = flags;
    switch (typeof value) {
      case 'number':
        this.values[index] = value;
        break;
      case 'bigint':
        this.#integers[index] = value;
        break;
      case 'boolean':
        this.values[index] = value ? 1 : 0;
        break;
      case 'string':
        this.values[index] = this.texts.length;
        this.texts.push(value);
        this.textLength += value.length;
        break;
      default:
        this.values[index] = 0;
    }
  }

  /** A copy without spare capacity, whose memory can be handed to another thread. */
  trimmed(): SampleColumns {
    const { length } = this;
    return {
      length,
      metric: this.metric.slice(0, length),
      time: this.time.slice(0, length),
      status: this.status.slice(0, length),
      flags: this.flags.slice(0, length),
      values: this.values.slice(0, length),
      texts: this.texts,
    };
  }

  /** Replaces metric numbers, where the storage knows a metric under another one. */
  renumber(numbers: ReadonlyMap<number, number>): void {
    for (let index = 0; index < this.length; index++) {
      const changed = numbers.get(this.metric[index] ?? 0);
      if (changed !== undefined) this.metric[index] = changed;
    }
  }

  #grow(): void {
    const capacity = Math.max(this.metric.length * 2, FIRST_CAPACITY);
    const grown = new SampleColumnsBuilder(capacity);
    grown.metric.set(this.metric);
    grown.time.set(this.time);
    grown.status.set(this.status);
    grown.flags.set(this.flags);
    grown.values.set(this.values);
    this.metric = grown.metric;
    this.time = grown.time;
    this.status = grown.status;
    this.flags = grown.flags;
    this.values = grown.values;
    this.#integers = integersOf(this);
  }
}

/** The memory of columns, to be handed over to another thread instead of copied. */
export function transferables(columns: SampleColumns): ArrayBuffer[] {
  return [columns.metric, columns.time, columns.status, columns.flags, columns.values].map(
    (array) => array.buffer as ArrayBuffer,
  );
}
