/** Events of commands: each transition, and each request that was refused. */
import type { BaseNode } from 'node-opcua';
import type { Command, CommandState, CommandTransition } from '../../model';
import type { NodeFactory } from '../address-space/node-factory';
import type { EventField } from './command-types';

/** Of 1 to 1000 (Part 5 §6.4.2). */
const SEVERITY: Readonly<Record<CommandState | 'Refused', number>> = {
  Queued: 100,
  Sending: 100,
  Enqueued: 100,
  Transmitted: 100,
  Acknowledged: 100,
  Verified: 100,
  Cancelled: 200,
  Superseded: 200,
  Refused: 300,
  Rejected: 600,
  Expired: 600,
  Failed: 600,
  Uncertain: 600,
};

/** As JSON; numbers beyond ±2^53 as texts. */
export function jsonOf(value: object): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
}

interface Told {
  readonly source: BaseNode;
  readonly sourceName: string;
  readonly state: CommandState | 'Refused';
  readonly time: number;
  readonly message: string;
  readonly fields: Readonly<Record<Exclude<EventField, 'State'>, string>>;
}

export class CommandEvents {
  readonly #factory: NodeFactory;

  constructor(factory: NodeFactory) {
    this.#factory = factory;
  }

  /** @param device the object of the device */
  changed(device: BaseNode, command: Command, { state, time, reason }: CommandTransition): void {
    const { id, name, user, source, parameters, devEui } = command;
    this.#raise({
      source: device,
      sourceName: devEui,
      state,
      time,
      message: `${name}: ${state}${reason === '' ? '' : `. ${reason}`}`,
      fields: {
        CommandId: id,
        Command: name,
        Reason: reason,
        User: user,
        Origin: source,
        Parameters: jsonOf(parameters),
      },
    });
  }

  refused(device: BaseNode, devEui: string, name: string, user: string, reason: string): void {
    this.#raise({
      source: device,
      sourceName: devEui,
      state: 'Refused',
      time: this.#factory.clock.now(),
      message: `${name} was refused. ${reason}`,
      fields: { CommandId: '', Command: name, Reason: reason, User: user, Origin: 'opcua', Parameters: '' },
    });
  }

  #raise({ source, sourceName, state, time, message, fields }: Told): void {
    const { library, addressSpace, types } = this.#factory;
    const { DataType } = library;
    const texts = Object.entries({ ...fields, State: state }).map(([name, value]) => [
      lowerFirst(name),
      { dataType: DataType.String, value },
    ]);
    addressSpace.rootFolder.objects.server.raiseEvent(types.commandEvent, {
      sourceNode: { dataType: DataType.NodeId, value: source.nodeId },
      sourceName: { dataType: DataType.String, value: sourceName },
      time: { dataType: DataType.DateTime, value: new Date(time) },
      severity: { dataType: DataType.UInt16, value: SEVERITY[state] },
      message: { dataType: DataType.LocalizedText, value: { text: message } },
      ...(Object.fromEntries(texts) as Record<string, { dataType: (typeof DataType)['String']; value: string }>),
    });
  }
}

/** Names of fields as the library writes them. */
function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
