/** Commands as an OPC UA client sends them, takes them back and follows them. */
import {
  AttributeIds,
  type CallMethodResult,
  constructEventFilter,
  DataType,
  type StatusCode,
  TimestampsToReturn,
  type Variant,
} from 'node-opcua';
import { z } from 'zod';
import { COMMAND_STATES, type CommandState } from '../../lib/model';
import { eventually } from './eventually';
import type { TestClient } from './opcua-client';

type Value = { readonly dataType: DataType; readonly value: unknown };

export const double = (value: number): Value => ({ dataType: DataType.Double, value });
export const int32 = (value: number): Value => ({ dataType: DataType.Int32, value });
export const boolean = (value: boolean): Value => ({ dataType: DataType.Boolean, value });
export const string = (value: string): Value => ({ dataType: DataType.String, value });

/** A row of the list of commands. */
const rowSchema = z.object({
  id: z.string(),
  devEui: z.string(),
  name: z.string(),
  state: z.enum(COMMAND_STATES),
  reason: z.string(),
  user: z.string(),
  source: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  ended: z.string().optional(),
});
export type CommandRow = z.infer<typeof rowSchema>;

/** A transition, as an event told it. */
export interface ToldTransition {
  readonly state: string;
  readonly reason: string;
  readonly user: string;
}

const LIST = 'lorawan/commands';
const FIELDS = ['CommandId', 'State', 'Reason', 'User'] as const;

export class CommandClient {
  readonly #client: TestClient;
  readonly #namespace: number;
  readonly #model: number;
  /** By command id, in the order in which they were told. */
  readonly #transitions = new Map<string, ToldTransition[]>();

  private constructor(client: TestClient, namespace: number, model: number) {
    this.#client = client;
    this.#namespace = namespace;
    this.#model = model;
  }

  static async of(client: TestClient): Promise<CommandClient> {
    return new CommandClient(
      client,
      await client.namespaceIndex('urn:lorua:gateway'),
      await client.namespaceIndex('urn:lorua:model'),
    );
  }

  /** Waits until a device has a command. */
  async known(devEui: string, name: string): Promise<void> {
    await eventually(async () => {
      const { statusCode } = await this.#client.session.read({
        nodeId: this.#node(`${devEui}/command/${name}`),
        attributeId: AttributeIds.BrowseName,
      });
      return statusCode.isGood();
    }, `the command ${name} of ${devEui}`);
  }

  /** @param part `value`, `state`, `reason` … */
  async read(devEui: string, name: string, part: string): Promise<unknown> {
    const { value } = await this.#client.read(this.#node(`${devEui}/command/${name}/${part}`));
    return value.value;
  }

  /** Name of the status code of a value. */
  async status(devEui: string, name: string, part: string): Promise<string> {
    return (await this.#client.read(this.#node(`${devEui}/command/${name}/${part}`))).statusCode.name;
  }

  async state(devEui: string, name: string): Promise<CommandState | undefined> {
    return COMMAND_STATES[Number(await this.read(devEui, name, 'state'))];
  }

  write(devEui: string, name: string, value: Value): Promise<StatusCode> {
    return this.#client.session.write({
      nodeId: this.#node(`${devEui}/command/${name}/value`),
      attributeId: AttributeIds.Value,
      value: { value },
    });
  }

  /** Calls Send. */
  async send(devEui: string, name: string, ...values: readonly Value[]): Promise<CallMethodResult> {
    const object = this.#node(`${devEui}/command/${name}`);
    return this.#call(object, `${object}/send`, values);
  }

  /** Calls Send, which must be answered Good. @returns id of the command */
  async sent(devEui: string, name: string, ...values: readonly Value[]): Promise<string> {
    const { statusCode, outputArguments } = await this.send(devEui, name, ...values);
    if (!statusCode.isGood()) throw new Error(`${name} was answered ${statusCode.name}`);
    return String(outputArguments?.[0]?.value);
  }

  async cancel(id: string): Promise<{ done: boolean; text: string }> {
    const [done, text] = await this.#ask('cancel', string(id));
    return { done: Boolean(done?.value), text: String(text?.value) };
  }

  async flush(devEui: string): Promise<{ done: boolean; cancelled: readonly string[] }> {
    const [done, , cancelled] = await this.#ask('flush', string(devEui));
    return { done: Boolean(done?.value), cancelled: z.array(z.string()).parse(cancelled?.value) };
  }

  /** How many commands have not ended, of all devices. */
  async open(): Promise<number> {
    const counts = await this.#client.readAll(
      ['queued', 'sending', 'enqueued', 'awaiting'].map((state) => this.#node(`${LIST}/${state}`)),
    );
    return counts.reduce(
      (sum, { statusCode, value }) => (statusCode.isGood() ? sum + Number(value.value) : Number.NaN),
      0,
    );
  }

  /** The newest first, at most 1,000. */
  async list(devEui = '', state = ''): Promise<readonly CommandRow[]> {
    const [rows] = await this.#ask('get', string(devEui), string(state), { dataType: DataType.UInt32, value: 1_000 });
    return z
      .array(z.string())
      .parse(Array.from(z.custom<Iterable<unknown>>().parse(rows?.value)))
      .map((row) => rowSchema.parse(JSON.parse(row)));
  }

  /** Follows the events of all commands from now on. */
  async follow(): Promise<void> {
    const subscription = await this.#client.session.createSubscription2({
      requestedPublishingInterval: 50,
      requestedLifetimeCount: 1_000,
      requestedMaxKeepAliveCount: 20,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 1,
    });
    const item = await subscription.monitor(
      { nodeId: 'i=2253', attributeId: AttributeIds.EventNotifier },
      {
        samplingInterval: 0,
        queueSize: 10_000,
        discardOldest: true,
        filter: constructEventFilter(FIELDS.map((field) => `${this.#model}:${field}`)),
      },
      TimestampsToReturn.Neither,
    );
    item.on('changed', (fields: readonly Variant[]) => {
      const [id, state, reason, user] = fields.map(({ value }) => value as unknown);
      // Other events have no such fields.
      if (typeof id !== 'string' || typeof state !== 'string') return;
      const told = this.#transitions.get(id) ?? [];
      told.push({ state, reason: String(reason), user: String(user) });
      this.#transitions.set(id, told);
    });
  }

  transitions(id: string): readonly ToldTransition[] {
    return this.#transitions.get(id) ?? [];
  }

  states(id: string): readonly string[] {
    return this.transitions(id).map(({ state }) => state);
  }

  /** Waits until a command has been in a state, as events tell. */
  async reaches(id: string, state: CommandState, patience?: number): Promise<ToldTransition> {
    const find = (): ToldTransition | undefined => this.transitions(id).find((told) => told.state === state);
    return eventually(find, state, patience).catch((error: unknown) => {
      throw new Error(`${String(error)}; told: ${JSON.stringify(this.transitions(id))}`);
    });
  }

  #node(identifier: string): string {
    return `ns=${this.#namespace};s=${identifier}`;
  }

  async #ask(key: string, ...values: readonly Value[]): Promise<readonly Variant[]> {
    const { statusCode, outputArguments } = await this.#call(this.#node(LIST), this.#node(`${LIST}/${key}`), values);
    if (!statusCode.isGood()) throw new Error(`${key} was answered ${statusCode.name}`);
    return outputArguments ?? [];
  }

  #call(objectId: string, methodId: string, inputArguments: readonly Value[]): Promise<CallMethodResult> {
    return this.#client.session.call({ objectId, methodId, inputArguments: [...inputArguments] });
  }
}
