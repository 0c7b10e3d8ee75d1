/** An OPC UA server with the real command queue behind it, both on the same clock, and clients of several roles. */
import {
  type CallMethodRequestOptions,
  DataType,
  type StatusCode,
  type Variant,
  type VariantOptions,
} from 'node-opcua';
import { CommandDefinitions, CommandQueue, commandDoors, parseCommandDefinitions } from '../../../lib/commands';
import type { CommandDevice, CommandDoors, DevEui } from '../../../lib/model';
import type { GatewayServer } from '../../../lib/opcua';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { FakeDownlinks, MemoryStore } from '../commands/support';
import { type Connected, connect, devEuiOf, deviceOf, PROFILE, startServer, TestSource } from './support';

export const PASSWORD = 'Correct horse 1';
export const DEVICE = devEuiOf(1);

const integer = { kind: 'integer', parameter: 'x', format: 'uint8' };
const whole = { name: 'x', type: 'Int', min: 0, max: 100, unit: '%' };

/** As people write them: one for each kind of parameter and rule. */
export const WRITTEN = [
  { name: 'level', title: 'Level', fPort: 10, parameters: [whole], payload: integer },
  { name: 'reject', fPort: 10, parameters: [whole], payload: integer, coalescing: 'reject' },
  {
    name: 'rated',
    fPort: 10,
    parameters: [whole],
    payload: integer,
    rateLimit: { count: 1, seconds: 60 },
  },
  { name: 'locked', fPort: 10, parameters: [whole], payload: integer, interlock: { role: 'Engineer' } },
  { name: 'twice', fPort: 10, parameters: [whole], payload: integer, interlock: { secondConfirmation: true } },
  {
    name: 'setpoint',
    fPort: 11,
    parameters: [{ name: 'x', type: 'Double', min: -10, max: 40, step: 0.5, unit: '°C' }],
    payload: { kind: 'integer', parameter: 'x', format: 'int16', scale: 0.5 },
  },
  {
    name: 'switch',
    fPort: 12,
    parameters: [{ name: 'x', type: 'Boolean' }],
    payload: integer,
  },
  {
    name: 'mode',
    fPort: 13,
    parameters: [
      {
        name: 'x',
        type: 'Enumeration',
        choices: [
          { name: 'off', value: 0 },
          { name: 'eco', value: 5 },
        ],
      },
    ],
    payload: integer,
  },
  {
    name: 'label',
    fPort: 14,
    parameters: [{ name: 'x', type: 'String', maxLength: 8 }],
    payload: { kind: 'template', segments: [{ kind: 'text', parameter: 'x' }] },
  },
  {
    name: 'big',
    fPort: 15,
    parameters: [{ name: 'x', type: 'Int' }],
    payload: { kind: 'integer', parameter: 'x', format: 'int64' },
  },
  { name: 'object', fPort: 16, payload: { kind: 'object', template: { reboot: true } } },
  {
    name: 'many',
    fPort: 17,
    parameters: [
      { name: 'a', type: 'Int', min: 0, max: 9 },
      { name: 'b', type: 'Double', min: 0, max: 1, default: 0.5 },
      { name: 'c', type: 'String', required: false },
    ],
    payload: { kind: 'object', template: { a: '{{a}}', b: '{{b}}', c: '{{c}}' } },
  },
].map((written) => ({ profileId: PROFILE, ...written }));

export interface CommandWorld {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly downlinks: FakeDownlinks;
  readonly devices: Map<DevEui, CommandDevice>;
  readonly source: TestSource;
  readonly queue: CommandQueue;
  readonly doors: CommandDoors;
  readonly server: GatewayServer;
  readonly log: ReturnType<typeof capturedLogger>['entries'];
  /** Doors with other definitions, as they are after a deploy. */
  doorsWith(written: readonly object[]): CommandDoors;
  as(name: 'ann' | 'otto' | 'emma' | 'root'): Promise<Connected>;
  close(): Promise<void>;
}

/** @param count of devices */
export async function commandWorld(folder: string, count = 2): Promise<CommandWorld> {
  const clock = new ManualClock();
  const store = new MemoryStore();
  const downlinks = new FakeDownlinks();
  const { logger, entries } = capturedLogger('opcua');
  const source = new TestSource();
  const devices = new Map<DevEui, CommandDevice>();
  for (let index = 1; index <= count; index++) {
    source.setDevice(deviceOf(index));
    const devEui = devEuiOf(index);
    devices.set(devEui, { devEui, profileId: PROFILE, deviceClass: 'A', isDisabled: false });
  }
  let definitions = new CommandDefinitions(parseCommandDefinitions(WRITTEN));
  const lookup = (devEui: DevEui): CommandDevice | undefined => devices.get(devEui);
  const queue = new CommandQueue({
    clock,
    random: Math.random,
    logger,
    store,
    downlinks,
    definitions: () => definitions,
    devices: lookup,
    maxPerDevice: 20,
  });
  await queue.start();
  const roles = { ann: 'Observer', otto: 'Operator', emma: 'Engineer', root: 'SecurityAdmin' };
  const server = await startServer(
    folder,
    { users: Object.entries(roles).map(([name, role]) => ({ name, password: PASSWORD, roles: [role] })) },
    { clock, logger },
  );
  server.attach(source);
  const doors = commandDoors({ queue, definitions: () => definitions, devices: lookup, store });
  const open: Connected[] = [];
  return {
    clock,
    store,
    downlinks,
    devices,
    source,
    queue,
    doors,
    server,
    log: entries,
    doorsWith(written) {
      definitions = new CommandDefinitions(parseCommandDefinitions(written));
      return commandDoors({ queue, definitions: () => definitions, devices: lookup, store });
    },
    async as(name) {
      const connected = await connect(server, folder, { user: { name, password: PASSWORD } });
      open.push(connected);
      return connected;
    },
    async close() {
      for (const { client } of open) await client.disconnect();
      await server.stop();
      await Promise.all([queue.close(), clock.advance(6_000)]);
    },
  };
}

export const commandId = (name: string, part = '', devEui: string = DEVICE): string =>
  `ns=3;s=${devEui}/command/${name}${part === '' ? '' : `/${part}`}`;

/** Names of the status codes by which writes are answered. */
export async function write(
  { session }: Connected,
  writes: readonly (readonly [string, VariantOptions])[],
): Promise<string[]> {
  const results: StatusCode[] = await session.write(
    writes.map(([nodeId, value]) => ({ nodeId, attributeId: 13, value: { value } })),
  );
  return results.map(({ name }) => name);
}

export interface Answer {
  readonly status: string;
  readonly arguments: string[];
  readonly outputs: readonly unknown[];
}

export async function call({ session }: Connected, request: CallMethodRequestOptions): Promise<Answer> {
  const { statusCode, inputArgumentResults, outputArguments } = await session.call(request);
  return {
    status: statusCode.name,
    arguments: (inputArgumentResults ?? []).map(({ name }) => name),
    outputs: (outputArguments ?? []).map(({ value }: Variant) => value as unknown),
  };
}

export const send = (
  client: Connected,
  name: string,
  inputArguments: VariantOptions[] = [],
  devEui: string = DEVICE,
): Promise<Answer> =>
  call(client, {
    objectId: commandId(name, '', devEui),
    methodId: commandId(name, 'send', devEui),
    inputArguments,
  });

export const list = (client: Connected, key: string, inputArguments: VariantOptions[]): Promise<Answer> =>
  call(client, { objectId: 'ns=3;s=lorawan/commands', methodId: `ns=3;s=lorawan/commands/${key}`, inputArguments });

export const int = (value: number): VariantOptions => ({ dataType: DataType.Int32, value });
export const double = (value: number): VariantOptions => ({ dataType: DataType.Double, value });
export const text = (value: string): VariantOptions => ({ dataType: DataType.String, value });
export const NOTHING: VariantOptions = { dataType: DataType.Null };
