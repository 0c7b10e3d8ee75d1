/**
 * A process with all that is between an OPC UA client and ChirpStack, wired as the flow wires it: server, command queue,
 * store, gRPC with the event streams of all devices.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ChirpstackConnection, ChirpstackDownlinks, Poller, parseConnectionSettings } from '../lib/chirpstack';
import {
  CommandDefinitions,
  CommandQueue,
  type CommandStore,
  commandDoors,
  parseCommandDefinitions,
} from '../lib/commands';
import {
  type CommandDevice,
  type DevEui,
  EMPTY_INVENTORY,
  parseDevEui,
  parseSourceId,
  silentLogger,
  systemClock,
} from '../lib/model';
import type { GatewayStore } from '../lib/store';
import type { HistorianAccess } from '../test/support/history-client';
import { type House, openHouse } from '../test/support/history-house';
import { offer, Remote } from '../test/support/remote';

export interface CommandHouseOptions {
  readonly url: string;
  readonly token: string;
  readonly tenantId: string;
  readonly devices: number;
  /** As people write them. */
  readonly definitions: readonly object[];
}

interface Open {
  readonly house: House;
  readonly queue: CommandQueue;
  readonly close: () => Promise<void>;
}

const OPERATOR = { name: 'operator', password: 'correct horse battery' };
const folder = mkdtempSync(join(tmpdir(), 'lorua-bench-'));
let open: Open | undefined;
/** ms that each durable commit took, the first of a command and the others */
let commits: { requests: number[]; changes: number[] } = { requests: [], changes: [] };

function openOf(): Open {
  if (open === undefined) throw new Error('there is no house yet');
  return open;
}

/** The store, with an eye on the clock: what a request waits for is a commit with an entry in the audit. */
function timed(store: GatewayStore): CommandStore {
  return {
    async commit(batch) {
      const begun = performance.now();
      await store.commit(batch);
      (batch.journal.length > 0 ? commits.requests : commits.changes).push(performance.now() - begun);
    },
    readRecords: (query) => store.readRecords(query),
  };
}

const services = {
  /** @returns how the OPC UA server is reached */
  async open({ url, token, tenantId, devices, definitions }: CommandHouseOptions): Promise<HistorianAccess> {
    const deps = { clock: systemClock, random: Math.random, logger: silentLogger };
    const house = await openHouse({
      folder,
      file: join(folder, 'house.db'),
      inventory: EMPTY_INVENTORY,
      settings: { users: [{ ...OPERATOR, roles: ['Operator'] }] },
    });
    const { store, server } = house;
    const source = parseSourceId('house');
    const connection = new ChirpstackConnection(parseConnectionSettings({ url, token, tenantId }), deps);
    const known = new CommandDefinitions(parseCommandDefinitions(definitions));
    const lookUp = (devEui: DevEui): CommandDevice | undefined => {
      const { devices: all, profiles } = store.inventory.merged();
      const device = all.get(devEui);
      if (device === undefined) return undefined;
      const { profileId, deviceClass, isDisabled } = device;
      const uplinkInterval = (profiles.get(profileId)?.uplinkInterval ?? 0) * 1_000;
      return { devEui, profileId, deviceClass, isDisabled, uplinkInterval };
    };
    const queue = new CommandQueue({
      ...deps,
      store: timed(store),
      downlinks: new ChirpstackDownlinks(connection),
      definitions: () => known,
      devices: lookUp,
    });
    await queue.start();
    server.attachCommands(commandDoors({ queue, definitions: () => known, devices: lookUp, store }));
    const poller = new Poller({
      ...deps,
      connection,
      source,
      settings: { pollInterval: 60_000, streamEvents: true, pollMetrics: false, maximumStreams: 2_000 },
    });
    poller.onInventory((inventory) => store.inventory.replace(source, inventory));
    poller.onDeviceEvent((event) => queue.receive(event));
    poller.onReading((reading) => house.take(reading));
    poller.start();
    open = {
      house,
      queue,
      async close() {
        await queue.close();
        await poller.close();
        await connection.close();
        await house.close();
      },
    };
    while (store.inventory.merged().devices.size < devices) await pause(50);
    await server.settled();
    return { url: house.access.url, user: OPERATOR.name, password: OPERATOR.password };
  },

  /** Sends one command to each device and waits until ChirpStack has all of them. */
  async fill({ devEuis, name }: { devEuis: readonly string[]; name: string }): Promise<void> {
    const { queue } = openOf();
    await Promise.all(
      devEuis.map((devEui) =>
        queue.submit({ devEui: parseDevEui(devEui), name, parameters: { x: 0 }, user: '', source: 'bench' }),
      ),
    );
    while (queue.counts().enqueued < devEuis.length) await pause(50);
  },

  /** Durable commits since it was asked last. */
  async commits(_: object): Promise<{ requests: readonly number[]; changes: readonly number[] }> {
    const since = commits;
    commits = { requests: [], changes: [] };
    return since;
  },
} as const;

export type RemoteHouse = Remote<typeof services>;

export function startHouse(): RemoteHouse {
  return new Remote(__filename);
}

if (require.main === module)
  void offer(services, async () => {
    await open?.close();
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
