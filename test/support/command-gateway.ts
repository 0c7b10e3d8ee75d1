/**
 * A gateway that only carries out commands, in a process of its own so that a test can kill it. It is told by messages
 * what to send, and tells when that is durable and what is known of all commands.
 */
import { z } from 'zod';
import { ChirpstackConnection, ChirpstackDownlinks, Poller, parseConnectionSettings } from '../../lib/chirpstack';
import { CommandDefinitions, CommandQueue, parseCommandDefinitions, toRecord } from '../../lib/commands';
import { parseDevEui, parseSourceId, silentLogger, systemClock } from '../../lib/model';
import { GatewayStore } from '../../lib/store';

const settings = z
  .object({ url: z.string(), token: z.string(), tenantId: z.string(), file: z.string(), devices: z.array(z.string()) })
  .parse(JSON.parse(process.argv[2] ?? ''));

const order = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('send'), id: z.string(), devEui: z.string(), name: z.string(), x: z.number() }),
  z.object({ kind: z.literal('tell') }),
]);

const deps = { clock: systemClock, random: Math.random, logger: silentLogger };
const devices = new Set(settings.devices);

async function run(): Promise<void> {
  const store = GatewayStore.create({ backend: 'sqlite', file: settings.file }, deps);
  await store.open();
  const connection = new ChirpstackConnection(
    parseConnectionSettings({ url: settings.url, token: settings.token, tenantId: settings.tenantId }),
    deps,
  );
  const definitions = new CommandDefinitions(
    parseCommandDefinitions(
      settings.devices.flatMap((devEui) =>
        ['plain', 'confirmed'].map((name) => ({
          devEui,
          name,
          fPort: 10,
          confirmed: name === 'confirmed',
          parameters: [{ name: 'x', type: 'Int' }],
          payload: { kind: 'integer', parameter: 'x', format: 'uint16' },
        })),
      ),
    ),
  );
  const queue = new CommandQueue({
    ...deps,
    store,
    downlinks: new ChirpstackDownlinks(connection),
    definitions: () => definitions,
    devices: (devEui) => (devices.has(devEui) ? { devEui, deviceClass: 'C', isDisabled: false } : undefined),
  });
  await queue.start();
  const poller = new Poller({
    ...deps,
    connection,
    source: parseSourceId('simulator'),
    settings: { pollInterval: 60_000, streamEvents: true, pollMetrics: false, maximumStreams: 1_000 },
  });
  poller.onDeviceEvent((event) => queue.receive(event));
  poller.start();
  const submit = async ({
    id,
    devEui,
    name,
    x,
  }: {
    id: string;
    devEui: string;
    name: string;
    x: number;
  }): Promise<void> => {
    await queue.submit({ id, devEui: parseDevEui(devEui), name, parameters: { x }, user: '', source: 'test' });
    process.send?.({ kind: 'durable', id });
  };
  process.on('message', (message) => {
    const told = order.parse(message);
    if (told.kind === 'tell') {
      process.send?.({ kind: 'told', commands: queue.commands().map((command) => toRecord(command).body) });
      return;
    }
    submit(told).catch((error: unknown) => process.send?.({ kind: 'refused', id: told.id, reason: String(error) }));
  });
  // Without its test it has nothing to do.
  process.on('disconnect', () => process.exit());
  process.send?.({ kind: 'ready' });
}

run().catch((error: unknown) => {
  process.send?.({ kind: 'failed', reason: String(error) });
  process.exitCode = 1;
});
