import type { Clock, Logger, MetricDefinition } from '../model';
import type { StoredState } from './backend';
import type { Devices } from './devices';
import type { Inventories } from './inventories';
import type { MetricColumns } from './metric-columns';
import type { MetricDefinitions } from './metric-definitions';
import type { PendingWrites } from './pending-writes';
import { restoreValues } from './restoring';

export interface RestorerDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly devices: Devices;
  readonly definitions: MetricDefinitions;
  readonly inventories: Inventories;
  readonly pending: PendingWrites;
}

/** Takes over what a storage holds when it was opened, and gives it everything when it begins anew. */
export class Restorer {
  readonly #deps: RestorerDependencies;
  #taken: { readonly stored: MetricColumns; readonly definitions: readonly MetricDefinition[] } | undefined;

  constructor(deps: RestorerDependencies) {
    this.#deps = deps;
  }

  /** Takes over metrics before the rest is loaded. */
  takeMetrics(stored: MetricColumns): void {
    const { devices, pending } = this.#deps;
    const before = Array.from(devices.all(), ({ metrics }) => [...metrics.values()]).flat();
    const { numbers, definitions } = devices.restore(stored);
    pending.renumber(numbers);
    // What was met before the storage was open is written with the numbers it has now.
    for (const metric of before) pending.addMetric(metric);
    this.#taken = { stored, definitions };
  }

  load(state: StoredState): void {
    const { clock, logger, devices, definitions, inventories } = this.#deps;
    const begun = clock.monotonic();
    if (this.#taken?.stored !== state.metrics) this.takeMetrics(state.metrics);
    const added = this.#taken?.definitions ?? [];
    this.#taken = undefined;
    for (const { devEui, sequence, eventId } of state.events) devices.device(devEui).events.restore(eventId, sequence);
    restoreValues(devices, state, clock.now());
    const damaged = inventories.restore(state.inventory);
    if (damaged.length > 0)
      logger.warn({
        operation: 'restore',
        event: 'ignored',
        reason: 'corrupt',
        message: 'records of the inventory that cannot be read; the next reconciliation brings them again',
        count: damaged.length,
      });
    definitions.tell(added, []);
    logger.info({
      operation: 'restore',
      event: 'succeeded',
      message: 'last values restored',
      count: state.currents.length,
      duration_ms: Math.round(clock.monotonic() - begun),
    });
  }

  /** The storage begins anew: everything that is known goes into it. */
  keepAll(): void {
    const { devices, inventories, pending } = this.#deps;
    inventories.keepAll();
    for (const { metrics } of devices.all())
      for (const metric of metrics.values()) {
        pending.addMetric(metric);
        if (metric.own) pending.addCurrent(metric);
      }
  }
}
