/** The published NodeSet: up to date, and of use to others. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { type AddressSpace, BrowseDirection, type UAVariable } from 'node-opcua';
import { exportModel } from '../../../lib/opcua/address-space/nodeset';
import { loadNodeSet, NODE_SET } from '../../support/model-walk';

let types: AddressSpace;
let text: string;
before(async () => {
  types = await loadNodeSet();
  text = await readFile(NODE_SET, 'utf8');
});
after(() => types.dispose());

test('the file is that of the program: node scripts/write-nodeset.mjs brings it up to date', async () => {
  assert.equal(text, await exportModel());
});

test('each node but the types hangs on its parent in both directions', () => {
  const parts = text.split(/(?=<UA(?:Object|Variable) )/).slice(1);
  assert.ok(parts.length > 100);
  for (const part of parts) assert.match(part, /IsForward="false"/, part.slice(0, 200));
  assert.doesNotMatch(text, /\{\{\{\{|Alias="\d+:/);
});

test('a server that has never seen the gateway loads it, with the types of the Devices standard below', () => {
  const model = types.getNamespaceIndex('urn:lorua:model');
  const di = types.getNamespaceIndex('http://opcfoundation.org/UA/DI/');
  const device = types.findObjectType('LoRaWANDeviceType', model);
  const component = types.findObjectType('ComponentType', di);
  assert.ok(device && component && device.isSubtypeOf(component));
  assert.deepEqual(
    device.findReferencesExAsObject('HasInterface', BrowseDirection.Forward).map(({ browseName }) => browseName.name),
    ['IDeviceHealthType'],
  );
  const software = types.findObjectType('SoftwareType', di);
  assert.ok(software && types.findObjectType('GatewayType', model)?.isSubtypeOf(software));
  const metadata = types.findNode(`ns=${model};s=NamespaceMetadata`);
  assert.equal(
    metadata?.findReferencesExAsObject('HasComponent', BrowseDirection.Inverse)[0]?.browseName.name,
    'Namespaces',
  );
});

test('another server can make devices of it', () => {
  const model = types.getNamespaceIndex('urn:lorua:model');
  const type = types.findObjectType('LoRaWANDeviceType', model);
  assert.ok(type);
  const device = type.instantiate({ browseName: 'Pump', organizedBy: types.rootFolder.objects });
  const names = new Set(device.getComponents().map(({ browseName }) => browseName.name));
  assert.deepEqual(names, new Set(['DeviceHealth', 'Identification', 'Measurements', 'Radio', 'Status']));
  const rssi = device.getComponentByName('Radio')?.getChildByName('RSSI') as UAVariable;
  assert.equal(rssi.getPropertyByName('EngineeringUnits')?.readValue().value.value.displayName.text, 'dBm');
});
