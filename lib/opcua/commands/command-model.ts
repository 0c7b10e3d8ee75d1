/**
 * The commands of all devices in the address space: made of what the queue says that devices can be told, kept in step
 * with definitions, devices and what becomes of commands.
 */
import type { BaseNode, UAObject } from 'node-opcua';
import {
  type Clock,
  type Command,
  type CommandDefinition,
  type CommandDoors,
  type CommandStatus,
  type DevEui,
  errorText,
  type Logger,
  type Timer,
  type Unsubscribe,
} from '../../model';
import type { DeviceNodes } from '../address-space/device-nodes';
import { MODEL_CHANGES } from '../address-space/metric-semantics';
import type { NodeFactory } from '../address-space/node-factory';
import type { Work } from '../address-space/slices';
import type { RepeatedEntries } from '../repeated';
import { CommandEvents } from './command-events';
import { CommandList } from './command-list';
import { CommandNodes } from './command-nodes';
import { CommandSource } from './command-source';

interface DeviceCommands {
  readonly device: DeviceNodes;
  readonly folder: UAObject;
  readonly commands: Map<string, CommandNodes>;
}

export interface CommandModelOptions {
  readonly factory: NodeFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  /** What the list of all commands is below. */
  readonly network: UAObject;
  /** The devices that have nodes. */
  readonly devices: { get(devEui: DevEui): DeviceNodes | undefined; all(): Iterable<DeviceNodes> };
  /** Does work in slices. */
  readonly schedule: (work: Work) => void;
}

type Changes = (readonly [BaseNode, number])[];

/** How long a queue may be away before that is shown, ms: a deploy exchanges it, and clients need not see that. */
const ABSENCE = 10_000;
/** Changes that are told in one event. */
const CHANGES_PER_EVENT = 200;

export class CommandModel {
  readonly source: CommandSource;
  readonly list: CommandList;
  readonly factory: NodeFactory;
  readonly #options: CommandModelOptions;
  readonly #events: CommandEvents;
  readonly #devices = new Map<DevEui, DeviceCommands>();
  /** By node ids of the object and of the value. */
  readonly #objects = new Map<string, CommandNodes>();
  readonly #values = new Map<string, CommandNodes>();
  #stop: Unsubscribe | undefined;
  /** Whether there is a queue, or was one a moment ago. */
  #isServed = false;
  #absence: Timer | undefined;
  #closed = false;

  constructor(options: CommandModelOptions) {
    this.#options = options;
    const { factory, clock, logger, network } = options;
    this.factory = factory;
    this.source = new CommandSource(clock, logger);
    this.list = new CommandList(factory, network, clock, this.source);
    this.#events = new CommandEvents(factory);
  }

  /** Shows and serves the commands of a queue until the returned function is called; one attached before is given up. */
  attach(doors: CommandDoors): Unsubscribe {
    this.#stop?.();
    const stopStatus = doors.onStatus((status) => this.#changed(status));
    this.source.current = doors;
    this.#absence?.cancel();
    this.#setServed(true);
    const stop = (): void => {
      if (this.#stop !== stop) return;
      this.#stop = undefined;
      stopStatus();
      this.source.current = undefined;
      if (!this.#closed) this.#absence = this.#options.clock.after(ABSENCE, () => this.#setServed(false));
    };
    this.#stop = stop;
    return stop;
  }

  /**
   * Brings the commands of a device in step after the device was made, changed, or is gone.
   * @param isNew that the device was added tells of what is below it
   */
  follow(device: DeviceNodes, isNew: boolean): void {
    const changes: Changes = [];
    const work = this.#follow(device, changes);
    while (work.next().done !== true);
    if (!isNew) this.#announce(changes);
  }

  /** The nodes of a device are about to be deleted. */
  forget(device: DeviceNodes): void {
    const known = this.#devices.get(device.devEui);
    if (known?.device !== device) return;
    this.#devices.delete(device.devEui);
    for (const nodes of known.commands.values()) this.#unregister(nodes);
  }

  /** Whether a client monitors the commands of a device. */
  isMonitored(devEui: DevEui): boolean {
    for (const nodes of this.#devices.get(devEui)?.commands.values() ?? []) if (nodes.isMonitored) return true;
    return false;
  }

  /** The command that a variable sends, by its node id. */
  byValue(nodeId: string): CommandNodes | undefined {
    return this.#values.get(nodeId);
  }

  /** The command that an object is, by its node id. */
  byObject(nodeId: string): CommandNodes | undefined {
    return this.#objects.get(nodeId);
  }

  /** Whether requests for a device must be refused, because it is gone. */
  isGone(devEui: DevEui): boolean {
    const device = this.#options.devices.get(devEui);
    return device === undefined || device.removedAt !== undefined;
  }

  /** Tells of a request that was not taken. @param isTold whether by an event too */
  refused(nodes: CommandNodes, user: string, text: string, isTold: boolean): void {
    const { logger, repeated } = this.#options;
    nodes.refused(text);
    const device = this.#devices.get(nodes.devEui)?.device;
    const line = text.replaceAll('\n', '; ');
    if (isTold && device !== undefined) this.#events.refused(device.object, nodes.devEui, nodes.name, user, line);
    repeated.write(
      `command ${nodes.id} ${user}`,
      {
        operation: 'enqueue',
        event: 'refused',
        message: `a command of an OPC UA client was refused: ${nodes.name}: ${line}`,
        device: nodes.devEui,
        user,
      },
      (entry) => logger.warn(entry),
    );
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
    this.#absence?.cancel();
    this.list.close();
  }

  #setServed(isServed: boolean): void {
    this.#isServed = isServed;
    this.list.setServed(isServed);
    if (!this.#closed) this.#options.schedule(this.#syncAll());
  }

  *#syncAll(): Generator<void> {
    let changes: Changes = [];
    const last = this.#lastCommands();
    for (const device of this.#options.devices.all()) {
      yield* this.#follow(device, changes, last);
      if (changes.length >= CHANGES_PER_EVENT) {
        this.#announce(changes);
        changes = [];
      }
      yield;
    }
    this.#announce(changes);
  }

  /** The last command of each name of each device. */
  #lastCommands(devEui?: DevEui): ReadonlyMap<string, Command> {
    const last = new Map<string, Command>();
    // In order of their creation.
    for (const command of this.source.current?.commands(devEui) ?? [])
      last.set(`${command.devEui}/${command.name}`, command);
    return last;
  }

  *#follow(device: DeviceNodes, changes: Changes, last?: ReadonlyMap<string, Command>): Generator<void> {
    const { devEui } = device;
    const doors = this.source.current;
    const isGone = device.removedAt !== undefined;
    let known = this.#devices.get(devEui);
    // Without a queue, and for a device that is gone, what is there stays.
    const isKnown = doors !== undefined && !isGone;
    const definitions = isKnown ? doors.definitionsOf(devEui) : undefined;
    if (known === undefined && (definitions === undefined || definitions.length === 0)) return;
    if (known === undefined) {
      known = this.#makeFolder(device);
      changes.push([known.folder, MODEL_CHANGES.nodeAdded]);
    }
    const found = last ?? (isKnown ? this.#lastCommands(devEui) : new Map<string, Command>());
    for (const definition of definitions ?? []) {
      const isNew = !known.commands.has(definition.name);
      this.#define(known, definition, changes, found);
      if (isNew) yield;
    }
    // Another queue came meanwhile: that is seen to by the next look.
    if (this.source.current !== doors) return;
    const wanted = definitions === undefined ? undefined : new Set(definitions.map(({ name }) => name));
    const isServed = this.#isServed && !isGone && device.shown?.isDisabled !== true;
    for (const [name, nodes] of known.commands) {
      const isDefined = wanted?.has(name) ?? true;
      // What a client monitors would not come back: it stays, out of service.
      if (isDefined || nodes.isMonitored) nodes.setOutOfService(!isServed || !isDefined);
      else this.#delete(known, nodes, changes);
    }
  }

  #define(
    { device, folder, commands }: DeviceCommands,
    definition: CommandDefinition,
    changes: Changes,
    last: ReadonlyMap<string, Command>,
  ): void {
    let nodes = commands.get(definition.name);
    if (nodes === undefined) {
      nodes = new CommandNodes(this.factory, folder, device.devEui, definition);
      commands.set(definition.name, nodes);
      this.#objects.set(nodes.object.nodeId.toString(), nodes);
      changes.push([nodes.object, MODEL_CHANGES.nodeAdded]);
    } else changes.push(...nodes.define(definition));
    const { value } = nodes;
    if (value === undefined) this.#values.delete(this.#valueId(nodes));
    else this.#values.set(value.variable.nodeId.toString(), nodes);
    const command = last.get(`${device.devEui}/${definition.name}`);
    const doors = this.source.current;
    // It may have gone on since the look at all of them.
    if (command !== undefined && doors !== undefined) nodes.show(doors.status(doors.command(command.id) ?? command));
  }

  #makeFolder(device: DeviceNodes): DeviceCommands {
    const { devEui, object } = device;
    const made: DeviceCommands = {
      device,
      folder: this.factory.part(object, `${devEui}/command`, 'Commands', this.factory.types.deviceCommands),
      commands: new Map(),
    };
    this.#devices.set(devEui, made);
    return made;
  }

  #delete({ folder, commands }: DeviceCommands, nodes: CommandNodes, changes: Changes): void {
    commands.delete(nodes.name);
    this.#unregister(nodes);
    this.factory.addressSpace.deleteNode(nodes.object);
    changes.push([folder, MODEL_CHANGES.referenceDeleted]);
  }

  #unregister(nodes: CommandNodes): void {
    this.#objects.delete(nodes.object.nodeId.toString());
    this.#values.delete(this.#valueId(nodes));
  }

  #valueId({ object, id }: CommandNodes): string {
    return `ns=${object.nodeId.namespace};s=${id}/value`;
  }

  #announce(changes: Changes): void {
    if (changes.length > 0) this.factory.announceChanges(changes);
  }

  #changed(status: CommandStatus): void {
    if (this.#closed) return;
    const { command, transition } = status;
    const known = this.#devices.get(command.devEui);
    try {
      known?.commands.get(command.name)?.show(status);
      const device = known?.device ?? this.#options.devices.get(command.devEui);
      // Of a device whose nodes are gone, too.
      if (transition !== undefined) this.#events.changed(device?.object ?? this.list.object, command, transition);
      this.list.changed();
    } catch (error) {
      // Whoever shows it must not stop the command.
      const { logger, repeated } = this.#options;
      repeated.write(
        'command status',
        {
          operation: 'publish',
          event: 'failed',
          reason: 'internal',
          message: `the state of a command could not be shown: ${errorText(error)}`,
          device: command.devEui,
        },
        (entry) => logger.error(entry),
      );
    }
  }
}
