/** Our server as the flow feeds it: event of ChirpStack, reading, store with history, stale detector, OPC UA. */
import { join } from 'node:path';
import { decodeIncomingMessage } from '../lib/chirpstack';
import { parseReadingMessage, type ReadingMessage, readingMessage } from '../lib/messages';
import { silentLogger, systemClock } from '../lib/model';
import { parseStaleDetectorSettings, StaleDetector } from '../lib/quality';
import { devEuiOf, inventoryOf, METRICS_PER_DEVICE, metricOf } from '../test/support/history-database';
import { openHouse } from '../test/support/history-house';
import type { Plant } from './opcua-plant';

/** The next node of a flow gets a message in a turn of its own. */
const nextNode = (run: () => void): void => void setImmediate(run);

/** An uplink as ChirpStack publishes it by MQTT. */
function uplink(
  device: number,
  values: Readonly<Record<string, number>>,
  count: number,
): { topic: string; payload: string } {
  const devEui = devEuiOf(device);
  const applicationId = '00000000-0000-4000-8000-000000000001';
  return {
    topic: `application/${applicationId}/device/${devEui}/event/up`,
    payload: JSON.stringify({
      deduplicationId: crypto.randomUUID(),
      time: new Date().toISOString(),
      deviceInfo: {
        tenantId: '00000000-0000-4000-8000-000000000003',
        tenantName: 'Plant',
        applicationId,
        applicationName: 'Hall',
        deviceProfileId: '00000000-0000-4000-8000-000000000002',
        deviceProfileName: 'Probe',
        deviceName: `Probe ${devEui}`,
        devEui,
        deviceClassEnabled: 'CLASS_A',
        tags: {},
      },
      devAddr: '00189440',
      adr: true,
      dr: 5,
      fCnt: count,
      fPort: 2,
      confirmed: false,
      data: 'AQIDBA==',
      object: values,
      rxInfo: [{ gatewayId: '0016c001f153a14c', uplinkId: 4217106255, rssi: -36, snr: 10.5, context: 'E3OWOQ==' }],
      txInfo: { frequency: 867100000, modulation: { lora: { bandwidth: 125000, spreadingFactor: 7 } } },
    }),
  };
}

export async function openOurs(folder: string, devices: number): Promise<Plant> {
  const house = await openHouse({
    folder,
    file: join(folder, 'house.db'),
    inventory: inventoryOf(devices * METRICS_PER_DEVICE),
  });
  const { store, server } = house;
  const detector = new StaleDetector({
    clock: systemClock,
    logger: silentLogger,
    settings: parseStaleDetectorSettings({ staleAfter: '3600' }),
    inventory: () => store.inventory.merged(),
    keysOf: (devEui) =>
      store.metrics.ofDevice(devEui).map(({ key }) => ({ key, current: store.values.get(devEui, key) })),
  });
  let count = 0;

  const show = (message: ReadingMessage): void => server.publish(parseReadingMessage(message, systemClock).reading);
  const watch = (message: ReadingMessage): void => {
    const observed = detector.observe(parseReadingMessage(message, systemClock).reading);
    nextNode(() => show(readingMessage(observed, message)));
  };
  const keep = (message: ReadingMessage): void => {
    const accepted = store.accept(parseReadingMessage(message, systemClock).reading);
    if (accepted !== undefined) nextNode(() => watch(readingMessage(accepted.reading, message)));
  };
  const take = (device: number, values: Readonly<Record<string, number>>): void => {
    const decoded = decodeIncomingMessage(uplink(device, values, ++count));
    if (decoded.kind === 'reading') nextNode(() => keep(readingMessage(decoded.reading)));
  };
  return {
    url: house.access.url,
    nodeIds: Array.from({ length: devices * METRICS_PER_DEVICE }, (_, number) => {
      const { devEui, key } = metricOf(number);
      return house.nodeId(devEui, key);
    }),
    take,
    async close() {
      detector.close();
      await house.close();
    },
  };
}
