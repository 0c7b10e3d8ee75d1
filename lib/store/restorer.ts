import type { Clock, Logger, MetricDefinition } from '../model';
import type { StoredState } from './backend';
import { samplesOf } from './columns';
import type { Devices } from './devices';
import type { Inventories } from './inventories';
import type { MetricDefinitions } from './metric-definitions';
import type { OwnValue } from './metric-record';
import type { PendingWrites } from './pending-writes';
import { restoredValue } from './restoring';

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

  constructor(deps: RestorerDependencies) {
    this.#deps = deps;
  }

  load(state: StoredState): void {
    const { clock, logger, devices, definitions, inventories, pending } = this.#deps;
    const begun = clock.monotonic();
    const before = Array.from(devices.all(), ({ metrics }) => [...metrics.values()]).flat();
    pending.renumber(devices.restore(state.metrics));
    for (const { devEui, sequence, eventId } of state.events) devices.device(devEui).events.restore(eventId, sequence);
    for (const { metric: id, ...own } of samplesOf(state.currents)) this.#restoreValue(id, own);
    this.#restoreGaps(state);
    // What was met before the storage was open is written with the numbers it has now.
    for (const metric of before) pending.addMetric(metric);
    const damaged = inventories.restore(state.inventory);
    if (damaged.length > 0)
      logger.warn({
        operation: 'restore',
        event: 'ignored',
        reason: 'corrupt',
        message: 'records of the inventory that cannot be read; the next reconciliation brings them again',
        count: damaged.length,
      });
    const added: MetricDefinition[] = [];
    for (let index = 0; index < state.metrics.length; index++) {
      const known = devices.byId(state.metrics.id[index] ?? 0);
      if (known) added.push(known.metric.definition);
    }
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

  #restoreValue(id: number, own: OwnValue): void {
    const known = this.#deps.devices.byId(id);
    // What came while the storage could not be read is newer.
    if (known === undefined || known.metric.own !== undefined) return;
    const { device, metric } = known;
    metric.own = own;
    metric.current = restoredValue(own, this.#deps.clock.now());
    device.values.set(metric.definition.key, metric.current);
  }

  #restoreGaps({ gaps }: StoredState): void {
    for (let index = 0; index < gaps.length; index++) {
      const metric = this.#deps.devices.byId(gaps.metric[index] ?? 0)?.metric;
      const time = gaps.time[index] ?? 0;
      if (metric !== undefined && (metric.own === undefined || metric.own.time < time)) metric.gapAt = time;
    }
  }
}
