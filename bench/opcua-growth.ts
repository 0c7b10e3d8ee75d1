/** A process whose OPC UA server gets very many variables, and which measures what that takes. Started with --expose-gc. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DataType, StatusCodes } from 'node-opcua';
import {
  type CurrentValue,
  Emitter,
  type Inventory,
  type MetricDefinition,
  parseMetricKey,
  silentLogger,
  systemClock,
} from '../lib/model';
import { GatewayServer, type MetricsChange, type ModelSource, parseServerSettings } from '../lib/opcua';
import { devEuiOf, inventoryOf, METRICS_PER_DEVICE } from '../test/support/history-database';
import { type LoopDelay, measured } from '../test/support/measure';
import { offer, Remote } from '../test/support/remote';
import { startBareServer } from './opcua-bare';

export interface Growth {
  readonly devices: number;
  readonly perDevice: number;
  /** The metrics are called so, with a number: a name may have a unit. */
  readonly name: string;
}

export interface Grown {
  /** ms until every variable is there and has its value. */
  readonly milliseconds: number;
  /** What is reachable, MiB. It is collected after the time is taken, and never before: what that leaves is unlike any start. */
  readonly heap: number;
  readonly loop: LoopDelay;
}

const folder = mkdtempSync(join(tmpdir(), 'lorua-bench-'));
let stop: (() => Promise<void>) | undefined;

function collected(): number {
  if (global.gc === undefined) throw new Error('start this with --expose-gc');
  global.gc();
  global.gc();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function definitions({ devices, perDevice, name }: Growth, first = 0): MetricDefinition[] {
  return Array.from({ length: devices * perDevice }, (_, number) => {
    const key = parseMetricKey(`${name}_${first + (number % perDevice)}`);
    return { devEui: devEuiOf(Math.floor(number / perDevice)), key, name: key, dataType: 'Double', kind: 'GAUGE' };
  });
}

class MemorySource implements ModelSource {
  readonly #inventory: Inventory;
  readonly #definitions: readonly MetricDefinition[];
  readonly #metrics = new Emitter<MetricsChange>(() => undefined);
  readonly #current: CurrentValue = { value: 21.5, time: Date.now(), statusTime: 0, quality: 'Good', origin: 'event' };

  constructor(growth: Growth) {
    this.#inventory = inventoryOf(growth.devices * METRICS_PER_DEVICE);
    this.#definitions = definitions(growth);
  }
  inventory(): Inventory {
    return this.#inventory;
  }
  onInventory(): () => void {
    return () => undefined;
  }
  metrics(): Iterable<MetricDefinition> {
    return this.#definitions;
  }
  onMetrics(listener: (change: MetricsChange) => void): () => void {
    return this.#metrics.on(listener);
  }
  value(): CurrentValue {
    return this.#current;
  }
  add(added: readonly MetricDefinition[]): void {
    this.#metrics.emit({ added, changed: [] });
  }
}

let ours: { readonly server: GatewayServer; source?: MemorySource } | undefined;

const services = {
  /** @returns where it listens */
  async openOurs(_: object): Promise<string> {
    const server = new GatewayServer(
      parseServerSettings({
        port: 0,
        host: '127.0.0.1',
        pkiFolder: join(folder, 'pki'),
        trustAllClients: true,
        endpoints: ['None'],
        allowAnonymous: true,
      }),
      { clock: systemClock, logger: silentLogger, random: Math.random },
    );
    await server.start();
    ours = { server };
    stop = () => server.stop();
    return `opc.tcp://127.0.0.1:${server.port}`;
  },

  async growOurs(growth: Growth): Promise<Grown> {
    if (ours === undefined) throw new Error('the server does not run');
    const { server } = ours;
    const source = new MemorySource(growth);
    ours.source = source;
    const { seconds, loop } = await measured(async () => {
      server.attach(source);
      await server.settled();
    });
    await pause(100);
    return { milliseconds: seconds * 1_000, heap: collected(), loop };
  },

  /** What is reachable while there are no devices, MiB. */
  async emptyOurs(_: object): Promise<number> {
    await services.openOurs({});
    return collected();
  },

  async emptyBare(_: object): Promise<number> {
    const bare = await startBareServer(folder);
    stop = () => bare.server.shutdown(0);
    return collected();
  },

  /** More metrics of the devices there are, all at once. */
  async addToOurs({ growth, first }: { growth: Growth; first: number }): Promise<Grown> {
    if (ours?.source === undefined) throw new Error('the server has no devices yet');
    const { server, source } = ours;
    const added = definitions(growth, first);
    const { seconds, loop } = await measured(async () => {
      source.add(added);
      await server.settled();
    });
    return { milliseconds: seconds * 1_000, heap: collected(), loop };
  },

  async growBare({ devices, perDevice }: Growth): Promise<Grown> {
    const bare = await startBareServer(folder);
    stop = () => bare.server.shutdown(0);
    const time = new Date();
    const { seconds, loop } = await measured(() => {
      const numbers = Array.from({ length: devices }, (_, device) => device);
      for (const variable of bare.addVariables(numbers, perDevice))
        variable.setValueFromSource({ dataType: DataType.Double, value: 21.5 }, StatusCodes.Good, time);
    });
    return { milliseconds: seconds * 1_000, heap: collected(), loop };
  },
} as const;

export type RemoteGrowth = Remote<typeof services>;

export function startGrowth(): RemoteGrowth {
  return new Remote(__filename, { exposesGarbageCollector: true });
}

if (require.main === module)
  void offer(services, async () => {
    await stop?.();
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
