/** A store with some devices, and somebody who asks about it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Administration, type AdministrationStore, type OpcuaDoors, UserDirectory } from '../../../lib/admin';
import {
  type ApplicationId,
  type CommandDoors,
  type DevEui,
  type Device,
  type Fault,
  type MetricValue,
  type Origin,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseSourceId,
  parseTenantId,
  type Quality,
  ROLES,
  systemClock,
} from '../../../lib/model';
import { GatewayStore, MemoryBackend, parseStoreSettings, SqliteBackend } from '../../../lib/store';
import { capturedLogger } from '../../support/captured-logger';
import { healthOf } from '../../support/gateway-health';

/** Source time of the first values, ms UTC. */
export const T = Date.UTC(2026, 10, 20, 12);
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const FARM: ApplicationId = parseApplicationId('00000000-0000-0000-0000-00000000000a');

export const eui = (n: number): DevEui => parseDevEui(n.toString(16).padStart(16, '0'));

/** A store in which some doors behave otherwise. */
export function altered(store: GatewayStore, doors: Partial<AdministrationStore>): AdministrationStore {
  return {
    inventory: store.inventory,
    metrics: store.metrics,
    values: store.values,
    revision: 1,
    health: () => store.health(),
    readHistory: (...args) => store.readHistory(...args),
    readJournal: (query) => store.readJournal(query),
    commit: (batch) => store.commit(batch),
    backup: (...args) => store.backup(...args),
    statistics: () => store.statistics(),
    ...doors,
  };
}

export class Asking {
  readonly folder = mkdtempSync(join(tmpdir(), 'lorua-admin-'));
  readonly folders = { exports: join(this.folder, 'exports'), backups: join(this.folder, 'backups') };
  readonly store: GatewayStore;
  readonly captured = capturedLogger('dashboard');
  readonly administration: Administration;
  readonly users: UserDirectory;
  /** The server that runs, if one does. */
  opcua: OpcuaDoors | undefined;
  /** The command queue that runs, if one does. */
  commands: CommandDoors | undefined;

  private constructor(backend: 'memory' | 'sqlite', changed: (store: GatewayStore) => AdministrationStore) {
    const deps = { clock: systemClock, logger: this.captured.logger };
    const file = join(this.folder, 'lorua.db');
    this.store = new GatewayStore(
      backend === 'sqlite' ? new SqliteBackend(file, systemClock) : new MemoryBackend(),
      deps,
      { retentionDays: 0 },
    );
    this.users = new UserDirectory({ store: this.store, ...deps });
    this.administration = new Administration({
      store: changed(this.store),
      retention: parseStoreSettings({
        backend,
        file,
        eventDays: 5,
        rules: [{ device: '*', metric: 't', deadband: 0 }],
      }),
      folders: this.folders,
      connections: () => [],
      health: () => healthOf(),
      opcua: () => this.opcua,
      administrators: () => [{ name: 'admin', roles: ROLES, hasPassword: true }],
      users: this.users,
      commands: () => this.commands,
      ...deps,
    });
  }

  /** @param changed a store that behaves otherwise for those who ask */
  static async start(
    backend: 'memory' | 'sqlite' = 'memory',
    changed: (store: GatewayStore) => AdministrationStore = (store) => store,
  ): Promise<Asking> {
    const asking = new Asking(backend, changed);
    await asking.store.open();
    await asking.users.open();
    return asking;
  }

  async stop(): Promise<void> {
    await this.administration.close();
    this.users.close();
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** ChirpStack knows these devices, all of one application, by these names. */
  name(names: Readonly<Record<number, string>>): void {
    const profileId = parseDeviceProfileId('00000000-0000-0000-0000-0000000000ff');
    const devices = Object.entries(names).map(([n, name]): [DevEui, Device] => [
      eui(Number(n)),
      {
        devEui: eui(Number(n)),
        name,
        description: '',
        applicationId: FARM,
        profileId,
        tags: { hall: '3', states_mode: 'off|heat|cool' },
        isDisabled: false,
        deviceClass: 'A',
      },
    ]);
    const tenantId = parseTenantId('00000000-0000-0000-0000-0000000000ee');
    this.store.inventory.replace(parseSourceId('c'), {
      applications: new Map([[FARM, { id: FARM, tenantId, name: 'Farm', description: '' }]]),
      profiles: new Map([
        [profileId, { id: profileId, name: 'Probe', uplinkInterval: 600, measurements: {}, tags: {} }],
      ]),
      devices: new Map(devices),
      gateways: new Map(),
    });
  }

  accept(
    n: number,
    time: number,
    values: Readonly<Record<string, MetricValue>>,
    quality: Readonly<Record<string, Quality>> = {},
    origin: Origin = 'event',
  ): void {
    this.store.accept({ device: { devEui: eui(n) }, values, time, quality, origin });
  }

  async result<Result>(topic: string, payload?: unknown, user?: string): Promise<Result> {
    const answer = await this.administration.handle(topic, payload, user);
    assert.ok(answer.ok, JSON.stringify(answer));
    return answer.result as Result;
  }

  async faults(topic: string, payload?: unknown): Promise<readonly Fault[]> {
    const answer = await this.administration.handle(topic, payload);
    assert.ok(!answer.ok, JSON.stringify(answer));
    assert.ok(answer.errors.every(({ rule, cure }) => rule !== '' && cure !== ''));
    return answer.errors;
  }

  async fields(topic: string, payload?: unknown): Promise<string[]> {
    return (await this.faults(topic, payload)).map(({ field }) => field);
  }

  /** All pages of an answer. */
  async pages<Result extends { readonly complete: boolean; readonly next?: unknown }>(
    topic: string,
    payload: unknown,
  ): Promise<Result[]> {
    const pages: Result[] = [];
    let asked: unknown = payload;
    while (asked !== undefined) {
      // Through a wire, an HTTP request or a browser: an answer is plain data.
      const page = JSON.parse(JSON.stringify(await this.result<Result>(topic, asked))) as Result;
      pages.push(page);
      assert.equal(page.complete, page.next === undefined);
      assert.ok(pages.length < 1_000, 'pages without end');
      asked = page.next;
    }
    return pages;
  }
}
