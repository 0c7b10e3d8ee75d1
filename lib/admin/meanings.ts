import { type Course, type DevEui, type Device, type MeaningSources, type MetricKey, meaningOf } from '../model';
import type { AdministrationDependencies } from './dependencies';

type Sources = Pick<AdministrationDependencies, 'store' | 'ownMeanings'>;

/** All that is said of a metric. */
export function meaningSources({ store, ownMeanings }: Sources, device: Device, key: MetricKey): MeaningSources {
  return {
    own: ownMeanings?.(device.devEui, key),
    device,
    profile: store.inventory.merged().profiles.get(device.profileId),
  };
}

/** States hold until the next one, also where they are plain numbers; all else as its type does. */
export function courseOf(sources: Sources, devEui: DevEui, key: MetricKey): Course {
  const { store } = sources;
  const device = store.inventory.merged().devices.get(devEui);
  const definition = store.metrics.ofDevice(devEui).find((metric) => metric.key === key);
  if (device === undefined || definition === undefined) return {};
  const { states } = meaningOf(definition, meaningSources(sources, device, key));
  return states === undefined ? {} : { isStepped: true };
}
