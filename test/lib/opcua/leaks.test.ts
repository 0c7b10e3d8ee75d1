/** Hundreds of devices come and go: nothing of them stays in the address space. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as library from 'node-opcua';
import { AddressSpace, type BaseNode, generateAddressSpace, nodesets } from 'node-opcua';
import { silentLogger } from '../../../lib/model';
import { InformationModel } from '../../../lib/opcua/address-space/information-model';
import { NodeFactory } from '../../../lib/opcua/address-space/node-factory';
import { RepeatedEntries } from '../../../lib/opcua/repeated';
import { ManualClock } from '../../support/manual-clock';
import { ChangingSettings } from './changing-settings';
import { deviceOf, OTHER_PROFILE, PROFILE, readingOf, TestSource } from './support';

const KEPT = 60_000;
const clock = new ManualClock();
const source = new TestSource();
let addressSpace: AddressSpace;
let model: InformationModel;
const settings = new ChangingSettings({
  removedNodesKept: KEPT,
  sourceTime: 'heartbeat' as const,
  heartbeatSeconds: 10,
});

before(async () => {
  addressSpace = AddressSpace.create();
  addressSpace.registerNamespace('urn:test');
  await generateAddressSpace(addressSpace, [nodesets.standard]);
  model = new InformationModel({
    factory: await NodeFactory.open(library, addressSpace, clock),
    clock,
    logger: silentLogger,
    repeated: new RepeatedEntries(clock),
    settings,
  });
});
after(() => {
  model.close();
  addressSpace.dispose();
});

function* nodes(): Iterable<BaseNode> {
  for (const { index } of addressSpace.getNamespaceArray())
    yield* addressSpace.getNamespace(index).nodeIterator() as Iterable<BaseNode>;
}

/** All references of all nodes, as text; one to a node that is no more is marked. */
function references(): Map<string, number> {
  const found = new Map<string, number>();
  for (const node of nodes()) {
    const all = node.allReferences();
    found.set(node.nodeId.toString(), all.length);
    for (const { nodeId } of all)
      assert.ok(addressSpace.findNode(nodeId) !== null, `${node.nodeId.toString()} refers to ${nodeId.toString()}`);
  }
  return found;
}

test('500 devices leave nothing behind', async () => {
  source.setDevice(deviceOf(9_999));
  source.define(9_999, 'temperature', 'Double');
  model.attach(source);
  await model.settled();
  model.publish(
    readingOf(9_999, { temperature: 1, humidity: 2, door: true, label: 'x', count: 1n, big: 1 }, clock.now()),
  );
  await model.settled();
  const before = references();
  for (let round = 0; round < 2; round++) {
    source.profiles.set(OTHER_PROFILE, { id: OTHER_PROFILE, name: 'P', uplinkInterval: 1, measurements: {}, tags: {} });
    for (let index = 1; index <= 250; index++) {
      source.setDevice(
        deviceOf(index, { profileId: index % 2 === 0 ? PROFILE : OTHER_PROFILE, tags: { states_door: 'a|b' } }),
      );
      for (const key of ['temperature', 'humidity']) source.define(index, key, 'Double');
    }
    source.changed();
    await model.settled();
    for (let index = 1; index <= 250; index++)
      model.publish(readingOf(index, { temperature: 1, humidity: 2, door: true, label: 'x', count: 1n }, clock.now()));
    await clock.advance(10_000);
    await model.settled();
    for (let index = 1; index <= 250; index++) source.devices.delete(deviceOf(index).devEui);
    source.profiles.delete(OTHER_PROFILE);
    source.definitions.clear();
    source.changed();
    await model.settled();
    await clock.advance(KEPT);
    await model.settled();
    assert.equal(model.deviceCount, 1);
    const left = references();
    const more = [...left]
      .filter(([id, count]) => before.get(id) !== count)
      .map(([id, count]) => `${id} ${before.get(id)} ${count}`);
    assert.deepEqual(more, [], 'nodes and their numbers of references are the same');
    assert.equal(left.size, before.size);
  }
});
