/** What the address space is made from. The store fits; anything else that knows devices does too. */
import type {
  CurrentValue,
  DevEui,
  EncodedHistoryPage,
  HistoryEncoding,
  HistoryRequest,
  Inventory,
  MetricDefinition,
  MetricKey,
  OwnMeaning,
  OwnMeanings,
  RadioGateway,
  Unsubscribe,
} from '../../model';

export interface MetricsChange {
  readonly added: readonly MetricDefinition[];
  readonly changed: readonly MetricDefinition[];
}

/** Where the history of metrics is kept. */
export interface HistorySource {
  /**
   * A page of an answer in the form in which it is sent.
   * @param signal nobody waits for the answer any more
   * @throws any error: the client is told that the data cannot be had now
   */
  readHistory(request: HistoryRequest, encoding: HistoryEncoding, signal: AbortSignal): Promise<EncodedHistoryPage>;
}

/** What the user says of metrics; this comes before all that ChirpStack says. */
export interface MeaningTable {
  readonly of: OwnMeanings;
  /** Told after each change. */
  onChange(listener: () => void): Unsubscribe;
}

export interface ModelSource {
  /** The complete picture now. */
  inventory(): Inventory;
  /** Told after each change of the inventory. */
  onInventory(listener: () => void): Unsubscribe;
  /**
   * Told about once a poll which gateways were heard again, where nothing else about them is new: that is no change of
   * the inventory. Absent where nobody hears gateways.
   */
  onGatewaysSeen?(listener: (gateways: readonly RadioGateway[]) => void): Unsubscribe;
  /** All metrics that are known to exist now. */
  metrics(): Iterable<MetricDefinition>;
  onMetrics(listener: (change: MetricsChange) => void): Unsubscribe;
  /** What is known of one metric, to be shown when its node is made. */
  value(devEui: DevEui, key: MetricKey): CurrentValue | undefined;
  /** Absent where no history is kept. */
  readonly history?: HistorySource;
  /** Absent where the user cannot say anything. */
  readonly meanings?: MeaningTable;
}

/** Several sources seen as one. Where two know a device or application, the one attached first is believed. */
export class MergedSources {
  readonly #sources = new Set<ModelSource>();
  /** Sources that told of at least one device: only these may say that a device is gone. */
  readonly #told = new WeakSet<ModelSource>();

  add(source: ModelSource): void {
    this.#sources.add(source);
  }

  delete(source: ModelSource): void {
    this.#sources.delete(source);
  }

  has(source: ModelSource): boolean {
    return this.#sources.has(source);
  }

  get size(): number {
    return this.#sources.size;
  }

  inventory(): Inventory {
    const inventories = [...this.#sources].map((source) => {
      const inventory = source.inventory();
      if (inventory.devices.size > 0) this.#told.add(source);
      return inventory;
    });
    const [first] = inventories;
    if (first !== undefined && inventories.length === 1) return first;
    // Later entries of a map stand, so the first source comes last.
    const merge = <Id, Item>(part: (inventory: Inventory) => ReadonlyMap<Id, Item>): ReadonlyMap<Id, Item> =>
      new Map(inventories.toReversed().flatMap((inventory) => [...part(inventory)]));
    return {
      applications: merge(({ applications }) => applications),
      profiles: merge(({ profiles }) => profiles),
      devices: merge(({ devices }) => devices),
      gateways: merge(({ gateways }) => gateways),
    };
  }

  /**
   * Whether what is missing from {@link inventory} is gone for sure. After a redeploy a new source starts empty and
   * learns its devices later; until then nothing is taken away.
   */
  isComplete(): boolean {
    return this.size > 0 && [...this.#sources].every((source) => this.#told.has(source));
  }

  *metrics(): Iterable<MetricDefinition> {
    for (const source of this.#sources) yield* source.metrics();
  }

  value(devEui: DevEui, key: MetricKey): CurrentValue | undefined {
    let newest: CurrentValue | undefined;
    for (const source of this.#sources) {
      const value = source.value(devEui, key);
      if (value !== undefined && (newest === undefined || value.time > newest.time)) newest = value;
    }
    return newest;
  }

  /** What the user says of a metric, in the first source that knows something. */
  ownMeaning(devEui: DevEui, key: MetricKey): OwnMeaning | undefined {
    for (const { meanings } of this.#sources) {
      const own = meanings?.of(devEui, key);
      if (own !== undefined) return own;
    }
    return undefined;
  }

  /** Whether any of the sources keeps history. */
  get keepHistory(): boolean {
    for (const { history } of this.#sources) if (history !== undefined) return true;
    return false;
  }

  /** Where the history of a metric is: with the source that has a value of it, else with the one that has its device. */
  history(devEui: DevEui, key: MetricKey): HistorySource | undefined {
    const keeping = [...this.#sources].filter(({ history }) => history !== undefined);
    const found =
      keeping.length < 2
        ? keeping[0]
        : (keeping.find((source) => source.value(devEui, key) !== undefined) ??
          keeping.find((source) => source.inventory().devices.has(devEui)) ??
          keeping[0]);
    return found?.history;
  }
}
