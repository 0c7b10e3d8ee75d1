import {
  type Application,
  type DevEui,
  type Device,
  type EventId,
  type Inventory,
  type Measurement,
  type MetricKey,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseEventId,
  parseMetricKey,
  parseSourceId,
  parseTenantId,
  type Reading,
} from '../../../lib/model';
import {
  MemoryBackend,
  type PruneResult,
  type PruneSlice,
  type StorageBackend,
  StorageError,
  type StoredState,
  type WriteBatch,
} from '../../../lib/store';

export const source = parseSourceId('connection-1');
export const sensor = parseDevEui('0000000000000001');
export const other = parseDevEui('0000000000000002');
export const key = (name: string): MetricKey => parseMetricKey(name);
export const eventId = (name: string): EventId => parseEventId(name);

const applicationId = parseApplicationId('00000000-0000-0000-0000-00000000000a');
const profileId = parseDeviceProfileId('00000000-0000-0000-0000-00000000000b');

export function inventoryOf(
  devEuis: readonly DevEui[],
  measurements: Record<string, Measurement> = {},
  change: Partial<Device> = {},
): Inventory {
  const application: Application = {
    id: applicationId,
    tenantId: parseTenantId('00000000-0000-0000-0000-00000000000c'),
    name: 'Farm',
    description: '',
  };
  return {
    applications: new Map([[applicationId, application]]),
    profiles: new Map([[profileId, { id: profileId, name: 'Probe', uplinkInterval: 600, measurements, tags: {} }]]),
    devices: new Map(
      devEuis.map((devEui, index) => [
        devEui,
        {
          devEui,
          name: `Sensor ${index + 1}`,
          description: '',
          applicationId,
          profileId,
          tags: {},
          isDisabled: false,
          deviceClass: 'A',
          ...change,
        },
      ]),
    ),
  };
}

export function reading(values: Reading['values'], time: number, part: Partial<Reading> = {}): Reading {
  return { device: { devEui: sensor }, values, time, quality: {}, origin: 'event', ...part };
}

/** A backend whose faults and speed a test decides: the border where disks are simulated. */
export class TroubledBackend implements StorageBackend {
  readonly inner = new MemoryBackend();
  openFault: StorageError | undefined;
  writeFault: StorageError | undefined;
  pruneFault: StorageError | undefined;
  /** While set, calls wait for it. */
  gate: Promise<void> | undefined;
  writes: WriteBatch[] = [];
  slices: PruneSlice[] = [];
  opened: { replaceDamaged: boolean }[] = [];
  closed: { clean: boolean }[] = [];
  setAside: string | undefined;
  closeFault: Error | undefined;

  async open(options: { replaceDamaged: boolean }): Promise<StoredState> {
    this.opened.push(options);
    await this.gate;
    if (this.openFault) throw this.openFault;
    const state = options.replaceDamaged ? await new MemoryBackend().open() : await this.inner.open();
    await this.inner.open();
    return this.setAside === undefined ? state : { ...state, setAside: this.setAside };
  }

  async write(batch: WriteBatch): Promise<void> {
    await this.gate;
    if (this.writeFault) throw this.writeFault;
    this.writes.push(batch);
    await this.inner.write(batch);
  }

  readHistory: StorageBackend['readHistory'] = (range) => this.inner.readHistory(range);

  async prune(slice: PruneSlice): Promise<PruneResult> {
    if (this.pruneFault) throw this.pruneFault;
    this.slices.push(slice);
    return this.inner.prune(slice);
  }

  async close(options: { clean: boolean }): Promise<void> {
    this.closed.push(options);
    await this.gate;
    if (this.closeFault) throw this.closeFault;
  }
}

export const fault = (reason: StorageError['reason'], message = `it is ${reason}`): StorageError =>
  new StorageError(reason, message, 'Do something.', 'SQLITE_X');
