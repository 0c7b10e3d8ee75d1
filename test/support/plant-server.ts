/**
 * Store and OPC UA server of a plant, in a process of its own that measures itself. Every value counts: it is the number
 * of its round, so that a client sees whether one is missing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Device, type Inventory, parseSourceId, type Reading } from '../../lib/model';
import { devEuiOf, inventoryOf, METRICS_PER_DEVICE, metricOf } from './history-database';
import { type House, openHouse } from './history-house';
import { measured } from './measure';
import { offer, Remote } from './remote';

export interface PlantAccess {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Of the metrics of the devices that are there from the beginning. */
  readonly nodeIds: readonly string[];
}

export interface FeedingResult {
  readonly rounds: number;
  /** Of one core, 0 to 1. */
  readonly cpu: number;
  /** Event-loop delay, ms. */
  readonly loopDelayP99: number;
  readonly loopDelayLongest: number;
}

/** Devices that come and go have numbers from here on. */
const FIRST_GUEST = 10_000;

let house: House | undefined;
let residents = 0;
let all: Inventory | undefined;
const guests = new Set<number>();
const folder = mkdtempSync(join(tmpdir(), 'lorua-plant-'));
let feeding: { stop: () => void; readonly result: Promise<FeedingResult> } | undefined;
let round = 0;

function theHouse(): House {
  if (house === undefined) throw new Error('the plant is not open');
  return house;
}

function readingOf(device: number): Reading {
  const values: Record<string, number> = {};
  for (let index = 0; index < METRICS_PER_DEVICE; index++) values[metricOf(index).key] = round;
  return { device: { devEui: devEuiOf(device) }, values, time: Date.now(), quality: {}, origin: 'event' };
}

/** What ChirpStack knows now. */
function inventoryNow(): Inventory {
  if (all === undefined) throw new Error('the plant is not open');
  const [sample] = all.devices.values();
  if (sample === undefined) throw new Error('the plant has no device');
  const devices = new Map(all.devices);
  for (const guest of guests) {
    const devEui = devEuiOf(guest);
    const device: Device = { ...sample, devEui, name: `Guest ${guest}` };
    devices.set(devEui, device);
  }
  return { ...all, devices };
}

async function follow(): Promise<void> {
  const { store, server } = theHouse();
  store.inventory.replace(parseSourceId('house'), inventoryNow());
  await server.settled();
}

async function feed(interval: number, isOver: () => boolean): Promise<FeedingResult> {
  const before = process.cpuUsage();
  const first = round;
  const { seconds, loop } = await measured(async () => {
    while (!isOver()) {
      round++;
      // Not all at once: devices send when they like.
      for (let device = 0; device < residents; device++) {
        theHouse().take(readingOf(device));
        if (device % 10 === 9) await new Promise((resolve) => setTimeout(resolve, (interval * 10) / residents));
      }
    }
  });
  const { user, system } = process.cpuUsage(before);
  return {
    rounds: round - first,
    cpu: (user + system) / 1e6 / seconds,
    loopDelayP99: loop.p99,
    loopDelayLongest: loop.longest,
  };
}

const services = {
  async open({ devices, settings }: { devices: number; settings?: Record<string, unknown> }): Promise<PlantAccess> {
    residents = devices;
    all = inventoryOf(devices * METRICS_PER_DEVICE);
    house = await openHouse({
      folder,
      file: join(folder, 'plant.db'),
      inventory: all,
      ...(settings === undefined ? {} : { settings }),
    });
    for (let device = 0; device < devices; device++) house.take(readingOf(device));
    await house.server.settled();
    const opened = house;
    return {
      ...opened.access,
      nodeIds: Array.from({ length: devices * METRICS_PER_DEVICE }, (_, number) => {
        const { devEui, key } = metricOf(number);
        return opened.nodeId(devEui, key);
      }),
    };
  },

  /** Every metric gets the number of the next round, again and again. @param interval ms of a round, at least */
  startFeeding({ interval }: { interval: number }): void {
    let isOver = false;
    feeding = {
      stop: () => {
        isOver = true;
      },
      result: feed(interval, () => isOver),
    };
  },

  async stopFeeding(_: object): Promise<FeedingResult> {
    if (feeding === undefined) throw new Error('the plant is not fed');
    feeding.stop();
    return feeding.result;
  },

  /** A device with values. @returns the node id of its first metric */
  async addGuest({ number }: { number: number }): Promise<string> {
    const device = FIRST_GUEST + number;
    guests.add(device);
    await follow();
    theHouse().take(readingOf(device));
    await theHouse().server.settled();
    return theHouse().nodeId(devEuiOf(device), metricOf(0).key);
  },

  async removeGuest({ number }: { number: number }): Promise<void> {
    guests.delete(FIRST_GUEST + number);
    await follow();
  },

  /** What is reachable, MiB. */
  heap(_: object): number {
    if (global.gc === undefined) throw new Error('start this with --expose-gc');
    global.gc();
    global.gc();
    return process.memoryUsage().heapUsed / 2 ** 20;
  },

  clients: (_: object): { sessions: number; subscriptions: number; monitoredItems: number } =>
    theHouse().server.clientCounts(),
} as const;

export type RemotePlantServer = Remote<typeof services>;

export function startPlantServer(): RemotePlantServer {
  return new Remote(__filename, { exposesGarbageCollector: true });
}

if (require.main === module)
  void offer(services, async () => {
    feeding?.stop();
    await feeding?.result;
    await house?.close();
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
