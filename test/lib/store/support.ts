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
  parseGatewayEui,
  parseMetricKey,
  parseSourceId,
  parseTenantId,
  qualityFromCode,
  type RadioGateway,
  type RawHistoryRequest,
  type Reading,
} from '../../../lib/model';
import {
  type DurableBatch,
  type GatewayStore,
  MemoryBackend,
  type PruneResult,
  type PruneSlice,
  type RecordPruneSlice,
  type StorageBackend,
  StorageError,
  type StorageStatistics,
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

/** A LoRa gateway, online unless told otherwise. */
export function gateway(number: number, change: Partial<RadioGateway> = {}): RadioGateway {
  return {
    gatewayId: parseGatewayEui(number.toString(16).padStart(16, '0')),
    tenantId: parseTenantId('00000000-0000-0000-0000-00000000000c'),
    name: `Gateway ${number}`,
    description: '',
    state: 'online',
    ...change,
  };
}

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
    gateways: new Map(),
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
  commitFault: StorageError | undefined;
  pruneFault: StorageError | undefined;
  /** While set, calls wait for it. */
  gate: Promise<void> | undefined;
  writes: WriteBatch[] = [];
  commits: DurableBatch[] = [];
  slices: PruneSlice[] = [];
  recordSlices: RecordPruneSlice[] = [];
  /** How large the database says it is. */
  bytes = (): number => 0;
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

  async commit(batch: DurableBatch): Promise<void> {
    await this.gate;
    if (this.commitFault) throw this.commitFault;
    this.commits.push(batch);
    await this.inner.commit(batch);
  }

  readHistory: StorageBackend['readHistory'] = (...request) => this.inner.readHistory(...request);
  readEncodedHistory: StorageBackend['readEncodedHistory'] = (...request) => this.inner.readEncodedHistory(...request);
  readRecords: StorageBackend['readRecords'] = (query) => this.inner.readRecords(query);
  readJournal: StorageBackend['readJournal'] = (query) => this.inner.readJournal(query);

  async pruneRecords(slice: RecordPruneSlice): Promise<number> {
    if (this.pruneFault) throw this.pruneFault;
    this.recordSlices.push(slice);
    return this.inner.pruneRecords(slice);
  }

  async statistics(): Promise<StorageStatistics> {
    return { bytes: this.bytes(), freeBytes: 0 };
  }

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

/** All of a metric's history, oldest first, unless a test wants another part. */
export function rawRequest(name: string, part: Partial<RawHistoryRequest> = {}): RawHistoryRequest {
  return {
    kind: 'raw',
    devEui: sensor,
    metric: key(name),
    order: 'ascending',
    start: 0,
    end: Number.POSITIVE_INFINITY,
    limit: 100_000,
    bounds: { start: false, end: false },
    ...part,
  };
}

/** Time, value and status of each stored entry, oldest first. */
export async function storedHistory(
  store: GatewayStore,
  name: string,
  devEui: DevEui = sensor,
): Promise<[number, unknown, string][]> {
  const { values } = await store.readHistory(rawRequest(name, { devEui }));
  return values.map(({ time, value, status }) => [time, value, qualityFromCode(status)]);
}
