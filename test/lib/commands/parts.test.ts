import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CommandDefinitions, commandDoors, parseCommandDefinitions } from '../../../lib/commands';
import type { CommandDoors } from '../../../lib/model';
import { DEFINITIONS, DEVICE, OTHER, type World, world } from './support';

function doorsOf({ queue, store, devices }: World, definitions = new CommandDefinitions(DEFINITIONS)): CommandDoors {
  return commandDoors({ queue, store, definitions: () => definitions, devices: (devEui) => devices.get(devEui) });
}

describe('what a command queue offers', () => {
  test('history is all that is kept, newest first, page by page, by device and state', async () => {
    const it = await world();
    const doors = doorsOf(it);
    const first = await it.submit('plain');
    const second = await it.submit('plain', 2, { devEui: OTHER });
    await it.clock.advance(1);
    const third = await it.submit('plain', 3);
    const ids = async (query: Parameters<CommandDoors['history']>[0]): Promise<string[]> =>
      (await doors.history(query)).map(({ id }) => id);
    const all = await ids({ limit: 10 });
    assert.equal(all[0], third.id);
    assert.deepEqual([...all].sort(), [first.id, second.id, third.id].sort());
    assert.deepEqual(await ids({ limit: 10, devEui: OTHER }), [second.id]);
    assert.deepEqual(await ids({ limit: 10, states: ['Expired'] }), []);
    const [newest] = await doors.history({ limit: 1 });
    assert.ok(newest !== undefined);
    assert.deepEqual(await ids({ limit: 10, before: newest }), all.slice(1));
  });

  test('a record that cannot be read is left out of it', async () => {
    const it = await world();
    const { id } = await it.submit('plain');
    const record = it.store.records.get(id);
    assert.ok(record !== undefined);
    it.store.records.set('broken', { ...record, id: 'broken', body: '{' });
    assert.deepEqual(
      (await doorsOf(it).history({ limit: 10 })).map((command) => command.id),
      [id],
    );
  });

  test('definitions of a device override those of its profile', async () => {
    const it = await world();
    const own = parseCommandDefinitions([
      { devEui: DEVICE, name: 'plain', fPort: 99, payload: { kind: 'hex', hex: '00' } },
    ]);
    const doors = doorsOf(it, new CommandDefinitions([...DEFINITIONS, ...own]));
    const portOf = (devEui: typeof DEVICE): number | undefined =>
      doors.definitionsOf(devEui).find(({ name }) => name === 'plain')?.fPort;
    assert.equal(portOf(DEVICE), 99);
    assert.notEqual(portOf(OTHER), 99);
    assert.equal(doors.definitions().length, DEFINITIONS.length + 1);
  });

  test('the rest is that of the queue', async () => {
    const it = await world();
    const doors = doorsOf(it);
    const states: (string | undefined)[] = [];
    const stop = doors.onStatus(({ transition }) => states.push(transition?.state));
    const { id } = await doors.submit({
      devEui: DEVICE,
      name: 'plain',
      parameters: { x: 1 },
      user: '',
      source: 'test',
    });
    await it.clock.advance(0);
    assert.deepEqual(states, ['Queued', 'Sending', 'Enqueued']);
    assert.equal(doors.command(id)?.id, id);
    assert.equal(doors.commands(DEVICE).length, 1);
    assert.deepEqual(doors.counts(), { queued: 0, sending: 0, enqueued: 1, awaiting: 0 });
    const command = doors.command(id);
    assert.equal(command && doors.status(command).transition?.state, 'Enqueued');
    assert.equal((await doors.cancel(id, 'anna')).done, false);
    assert.equal((await doors.flush(DEVICE, 'anna')).done, true);
    stop();
  });
});
