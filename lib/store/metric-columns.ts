/** Metric definitions by column: 100,000 of them cross threads at the start in a few typed arrays and short lists. */
import { type DevEui, MEASUREMENT_KINDS, type MeasurementKind, type MetricDataType, type MetricKey } from '../model';
import type { StoredMetric } from './backend';
import { DATA_TYPES, ValueType } from './columns';

/** Read-only view; all typed arrays have at least `length` elements. */
export interface MetricColumns {
  readonly length: number;
  /** Number of the metric in the storage. */
  readonly id: Int32Array;
  /** Place in `texts` of DevEUI, key and name: many metrics share them. */
  readonly devEui: Int32Array;
  readonly key: Int32Array;
  readonly name: Int32Array;
  /** Place in MEASUREMENT_KINDS. */
  readonly kind: Uint8Array;
  /** ValueType; None = not settled. */
  readonly dataType: Uint8Array;
  readonly texts: readonly string[];
}

const KIND_NUMBERS: ReadonlyMap<string, number> = new Map(MEASUREMENT_KINDS.map((kind, index) => [kind, index]));

/** Number of a kind; that of UNKNOWN for one that is not known here. */
export function kindNumber(kind: string): number {
  return KIND_NUMBERS.get(kind) ?? 0;
}

/** Number of a data type by its name; None for one that is not settled or not known here. */
export function dataTypeNumber(dataType: string | null | undefined): ValueType {
  return typeof dataType === 'string' && Object.hasOwn(ValueType, dataType)
    ? ValueType[dataType as MetricDataType]
    : ValueType.None;
}

/** Columns that grow as metrics are added. */
export class MetricColumnsBuilder {
  readonly #texts: string[] = [];
  readonly #places = new Map<string, number>();
  #lastDevEui: string | undefined;
  #lastPlace = 0;
  #length = 0;
  #id: Int32Array<ArrayBuffer>;
  #devEui: Int32Array<ArrayBuffer>;
  #key: Int32Array<ArrayBuffer>;
  #name: Int32Array<ArrayBuffer>;
  #kind: Uint8Array<ArrayBuffer>;
  #dataType: Uint8Array<ArrayBuffer>;

  constructor(capacity = 256) {
    this.#id = new Int32Array(capacity);
    this.#devEui = new Int32Array(capacity);
    this.#key = new Int32Array(capacity);
    this.#name = new Int32Array(capacity);
    this.#kind = new Uint8Array(capacity);
    this.#dataType = new Uint8Array(capacity);
  }

  /** @param kind see {@link kindNumber} @param dataType see {@link dataTypeNumber} */
  add(id: number, devEui: string, key: string, name: string, kind: number, dataType: ValueType): void {
    if (this.#length === this.#id.length) this.#grow();
    const index = this.#length++;
    this.#id[index] = id;
    // Metrics of a device mostly follow each other, and many are called as their key: a comparison is cheaper than a look.
    if (devEui !== this.#lastDevEui) {
      this.#lastDevEui = devEui;
      this.#lastPlace = this.#place(devEui);
    }
    const keyPlace = this.#place(key);
    this.#devEui[index] = this.#lastPlace;
    this.#key[index] = keyPlace;
    this.#name[index] = name === key ? keyPlace : this.#place(name);
    this.#kind[index] = kind;
    this.#dataType[index] = dataType;
  }

  /** What was added. The builder is used up. */
  built(): MetricColumns {
    return {
      length: this.#length,
      id: this.#id,
      devEui: this.#devEui,
      key: this.#key,
      name: this.#name,
      kind: this.#kind,
      dataType: this.#dataType,
      texts: this.#texts,
    };
  }

  #place(text: string): number {
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.#texts.length;
      this.#texts.push(text);
      this.#places.set(text, place);
    }
    return place;
  }

  #grow(): void {
    const capacity = Math.max(this.#id.length * 2, 256);
    const grownInts = (array: Int32Array): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(capacity);
      grown.set(array);
      return grown;
    };
    const grownBytes = (array: Uint8Array): Uint8Array<ArrayBuffer> => {
      const grown = new Uint8Array(capacity);
      grown.set(array);
      return grown;
    };
    this.#id = grownInts(this.#id);
    this.#devEui = grownInts(this.#devEui);
    this.#key = grownInts(this.#key);
    this.#name = grownInts(this.#name);
    this.#kind = grownBytes(this.#kind);
    this.#dataType = grownBytes(this.#dataType);
  }
}

export function metricColumnsOf(metrics: Iterable<StoredMetric>): MetricColumns {
  const builder = new MetricColumnsBuilder();
  for (const { id, definition } of metrics)
    builder.add(
      id,
      definition.devEui,
      definition.key,
      definition.name,
      kindNumber(definition.kind),
      dataTypeNumber(definition.dataType),
    );
  return builder.built();
}

/** The metric at one place. */
export function metricAt(columns: MetricColumns, index: number): StoredMetric {
  const { texts } = columns;
  return {
    id: columns.id[index] ?? 0,
    definition: {
      devEui: texts[columns.devEui[index] ?? 0] as DevEui,
      key: texts[columns.key[index] ?? 0] as MetricKey,
      name: texts[columns.name[index] ?? 0] ?? '',
      dataType: DATA_TYPES[(columns.dataType[index] ?? 0) as ValueType],
      kind: MEASUREMENT_KINDS[columns.kind[index] ?? 0] as MeasurementKind,
    },
  };
}

/** All metrics as objects, for tests and where there are few. */
export function* metricsOf(columns: MetricColumns): Generator<StoredMetric> {
  for (let index = 0; index < columns.length; index++) yield metricAt(columns, index);
}

/** The memory of columns, to be handed over to another thread instead of copied. */
export function metricTransferables(columns: MetricColumns): ArrayBuffer[] {
  return [columns.id, columns.devEui, columns.key, columns.name, columns.kind, columns.dataType].map(
    (array) => array.buffer as ArrayBuffer,
  );
}
