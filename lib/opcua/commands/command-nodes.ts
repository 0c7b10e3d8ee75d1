/** The nodes of one command of one device. */
import type { UAMethod, UAObject, UAVariable } from 'node-opcua';
import {
  COMMAND_STATES,
  type Command,
  type CommandDefinition,
  type CommandParameter,
  type CommandStatus,
  type DevEui,
  type Quality,
} from '../../model';
import type { LiveVariable } from '../address-space/live-variable';
import { MODEL_CHANGES } from '../address-space/metric-semantics';
import type { NodeFactory } from '../address-space/node-factory';
import { addProperty } from '../address-space/properties';
import { bindServed, COMMAND } from './command-types';
import {
  argumentText,
  argumentType,
  meaningOfParameter,
  needsConfirmation,
  onlyParameter,
  shownValue,
  valueType,
} from './parameter-form';

/** States of the value: Good is what the device has got as far as can be known. */
function qualityOf({ state, endedAt }: Command): Quality {
  switch (state) {
    case 'Verified':
      return 'Good';
    case 'Transmitted':
    case 'Acknowledged':
      // Something may still be awaited.
      return endedAt === undefined ? 'Uncertain' : 'Good';
    case 'Queued':
    case 'Sending':
    case 'Enqueued':
    case 'Uncertain':
      return 'Uncertain';
    default:
      return 'Bad';
  }
}

/** What of a definition the nodes show. */
function shapeOf({ title, description, parameters, interlock }: CommandDefinition): string {
  return JSON.stringify([title, description, parameters, interlock?.secondConfirmation === true]);
}

export class CommandNodes {
  readonly devEui: DevEui;
  readonly name: string;
  readonly object: UAObject;
  readonly send: UAMethod;
  readonly #factory: NodeFactory;
  readonly #members: Readonly<Record<keyof typeof COMMAND, LiveVariable>>;
  readonly #inputs: UAVariable;
  readonly #outputs: UAVariable;
  #definition: CommandDefinition;
  #shape: string;
  #value: LiveVariable | undefined;
  #last: Command | undefined;
  #outOfService = false;

  constructor(factory: NodeFactory, folder: UAObject, devEui: DevEui, definition: CommandDefinition) {
    const { name } = definition;
    const { gateway, model } = factory.namespaces;
    this.#factory = factory;
    this.devEui = devEui;
    this.name = name;
    this.#definition = definition;
    this.#shape = shapeOf(definition);
    this.object = factory.object({
      id: this.id,
      browseName: name,
      displayName: definition.title || name,
      description: definition.description,
      type: factory.types.command,
      parent: folder,
      link: 'componentOf',
    });
    this.#members = factory.members(this.object, this.id, COMMAND);
    this.send = gateway.addMethod(this.object, {
      nodeId: `s=${this.id}/send`,
      browseName: { name: 'Send', namespaceIndex: model.index },
      description: 'Sends the command; the arguments are its parameters',
    });
    bindServed(factory.library, this.send);
    const list = (property: string, description: string): UAVariable =>
      addProperty(factory.library, gateway, this.send, {
        id: `s=${this.id}/send/${property}`,
        name: property,
        description,
        dataType: 'Argument',
        valueRank: 1,
      });
    this.#inputs = list('InputArguments', 'The parameters of the command');
    this.#outputs = list('OutputArguments', 'What the sender is told');
    this.#showArguments();
    this.#showValueNode();
  }

  get id(): string {
    return `${this.devEui}/command/${this.name}`;
  }

  get definition(): CommandDefinition {
    return this.#definition;
  }

  /** The variable whose value sends the command, with the parameter that it is. */
  get value(): { readonly variable: UAVariable; readonly parameter: CommandParameter } | undefined {
    const parameter = onlyParameter(this.#definition);
    return this.#value === undefined || parameter === undefined
      ? undefined
      : { variable: this.#value.variable, parameter };
  }

  /** Whether a client monitors anything here. */
  get isMonitored(): boolean {
    return this.#variables().some(({ isMonitored }) => isMonitored);
  }

  /**
   * Shows another definition of the same name.
   * @returns verbs of the changes of the model, to be announced
   */
  define(definition: CommandDefinition): readonly (readonly [UAObject | UAVariable, number])[] {
    this.#definition = definition;
    const shape = shapeOf(definition);
    if (shape === this.#shape) return [];
    this.#shape = shape;
    const { object } = this;
    object.setDisplayName(this.#factory.text(definition.title || definition.name));
    object.setDescription(this.#factory.text(definition.description));
    this.#showArguments();
    const changes = this.#showValueNode();
    this.#showValue();
    return changes;
  }

  setOutOfService(outOfService: boolean): void {
    if (outOfService === this.#outOfService) return;
    this.#outOfService = outOfService;
    const now = this.#factory.now();
    for (const live of this.#variables()) live.setOutOfService(outOfService, now);
  }

  /** Shows what is known of a command, unless a later one is shown. */
  show({ command, expectation }: CommandStatus): void {
    if (this.#last !== undefined && command.sequence < this.#last.sequence && command.id !== this.#last.id) return;
    this.#last = command;
    const now = this.#factory.now();
    const changed = this.#factory.date(command.changedAt);
    const members = this.#members;
    members.state.update(COMMAND_STATES.indexOf(command.state), changed, now);
    members.reason.update(command.reason, changed, now);
    members.lastId.update(command.id, changed, now);
    members.requested.update(new Date(command.createdAt), changed, now);
    members.changed.update(new Date(command.changedAt), changed, now);
    members.user.update(command.user, changed, now);
    if (expectation?.at === undefined) members.expected.setStatus('BadNoData', changed, now);
    else members.expected.update(new Date(expectation.at), changed, now);
    this.#showValue();
  }

  /** Shows why a request was not taken. */
  refused(text: string): void {
    const now = this.#factory.now();
    this.#members.lastRefusal.set(text, 'Good', now, now);
  }

  #showValue(): void {
    const last = this.#last;
    const parameter = onlyParameter(this.#definition);
    if (this.#value === undefined || last === undefined || parameter === undefined) return;
    const shown = shownValue(parameter, last.parameters[parameter.name]);
    const quality = qualityOf(last);
    const changed = this.#factory.date(last.changedAt);
    const now = this.#factory.now();
    if (shown === undefined) this.#value.setStatus('BadNoData', changed, now);
    else this.#value.set(shown, quality, changed, now);
  }

  /** Makes the variable of a one-parameter command, changes it, or takes it away. */
  #showValueNode(): readonly (readonly [UAObject | UAVariable, number])[] {
    const parameter = onlyParameter(this.#definition);
    const { library, addressSpace } = this.#factory;
    if (parameter === undefined) {
      if (this.#value === undefined) return [];
      addressSpace.deleteNode(this.#value.variable);
      this.#value = undefined;
      return [[this.object, MODEL_CHANGES.referenceDeleted]];
    }
    const type = valueType(parameter);
    const meaning = meaningOfParameter(parameter);
    let verb = 0;
    if (this.#value === undefined) {
      this.#value = this.#factory.commandValue(this.object, `${this.id}/value`, type, meaning);
      this.#value.setOutOfService(this.#outOfService, this.#factory.now());
      verb = MODEL_CHANGES.nodeAdded;
    } else if (this.#value.type !== type) {
      this.#value.changeType(type, this.#factory.now());
      verb = MODEL_CHANGES.dataTypeChanged;
    }
    const { variable } = this.#value;
    // What must be asked for twice cannot be written: a write has no room for the token of the first request.
    const access = library.makeAccessLevelExFlag(
      needsConfirmation(this.#definition) ? 'CurrentRead' : 'CurrentRead | CurrentWrite',
    );
    variable.accessLevel = access;
    variable.userAccessLevel = access;
    variable.setDescription(
      this.#factory.text(
        needsConfirmation(this.#definition)
          ? `${argumentText(parameter)} — must be asked for twice: use Send`
          : argumentText(parameter),
      ),
    );
    verb |= this.#factory.setMeaning(this.#value, `${this.id}/value`, meaning);
    return verb === 0 ? [] : [[variable, verb]];
  }

  #showArguments(): void {
    const { library, writer } = this.#factory;
    const { Argument, DataType, VariantArrayType } = library;
    const text = { name: '', dataType: writer.dataTypeId('String'), valueRank: -1 };
    const argument = (name: string, description: string, dataType = text.dataType): InstanceType<typeof Argument> =>
      new Argument({ name, description: this.#factory.text(description), dataType, valueRank: -1 });
    const isTwice = needsConfirmation(this.#definition);
    const inputs = this.#definition.parameters.map((parameter) =>
      argument(parameter.name, argumentText(parameter), writer.dataTypeId(argumentType(parameter))),
    );
    if (isTwice) inputs.push(argument('Confirmation', 'Null at first, then the token of the first answer'));
    const outputs = [argument('CommandId', 'Id of the command')];
    if (isTwice) outputs.push(argument('Confirmation', 'Token for the second call; empty if the command was taken'));
    for (const [variable, value] of [
      [this.#inputs, inputs],
      [this.#outputs, outputs],
    ] as const) {
      variable.arrayDimensions = [value.length];
      variable.setValueFromSource({ dataType: DataType.ExtensionObject, arrayType: VariantArrayType.Array, value });
    }
  }

  #variables(): readonly LiveVariable[] {
    const members = Object.values(this.#members);
    return this.#value === undefined ? members : [...members, this.#value];
  }
}
