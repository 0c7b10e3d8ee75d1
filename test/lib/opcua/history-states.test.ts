import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { BrowseDirection, ReadAtTimeDetails } from 'node-opcua';
import { parseMetricKey, parseSourceId } from '../../../lib/model';
import { askOne, metricNode, openStore, serve, shown, sourceOf, T0 } from './history-support';
import { connect, devEuiOf, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

test('states that are plain numbers hold until the next one, as long as they are known to be states', async () => {
  const store = await openStore();
  const devEui = devEuiOf(1);
  for (const [time, mode] of [
    [0, 0],
    [4_000, 2],
    [8_000, 0],
  ] as const)
    store.accept({
      device: { devEui },
      values: { [parseMetricKey('mode')]: mode },
      quality: {},
      time: T0 + time,
      origin: 'event',
    });
  const server = await serve(folder, sourceOf(store));
  const client = await connect(server, folder);
  try {
    const node = metricNode(1, 'mode');
    const configuration = async (): Promise<string[]> => {
      const { references } = await client.session.browse({
        nodeId: node,
        referenceTypeId: 'HasHistoricalConfiguration',
        browseDirection: BrowseDirection.Forward,
        resultMask: 63,
      });
      return (references ?? []).map(({ nodeId }) => nodeId.toString());
    };
    const between = async (): Promise<string[]> =>
      shown(
        await askOne(
          client,
          node,
          new ReadAtTimeDetails({ reqTimes: [new Date(T0 + 2_000), new Date(T0 + 6_000)], useSimpleBounds: false }),
        ),
      );
    const tag = async (tags: Record<string, string>): Promise<void> => {
      const inventory = store.inventory.merged();
      const device = inventory.devices.get(devEui);
      assert.ok(device);
      store.inventory.replace(parseSourceId('connection'), {
        ...inventory,
        devices: new Map([...inventory.devices, [devEui, { ...device, tags }]]),
      });
      await server.settled();
    };

    assert.deepEqual(await configuration(), ['ns=3;s=history/interpolated']);
    assert.deepEqual(await between(), ['2000=1', '6000=1']);
    await tag({ states_mode: 'off|heat|cool' });
    assert.deepEqual(await configuration(), ['ns=3;s=history/stepped']);
    assert.deepEqual(await between(), ['2000=0', '6000=2']);
    await tag({});
    assert.deepEqual(await configuration(), ['ns=3;s=history/interpolated']);
    assert.deepEqual(await between(), ['2000=1', '6000=1']);
  } finally {
    await client.close();
    await server.stop();
    await store.close();
  }
});
