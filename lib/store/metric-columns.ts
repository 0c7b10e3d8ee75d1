/** Metric definitions by column: 100,000 of them cross threads at the start in a few typed arrays and short lists. */

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

