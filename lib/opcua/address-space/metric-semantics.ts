/**
 * What the values of a metric mean, as Part 8 (Data Access) shows it: the type definition of the variable and the
 * properties that come with it. Both follow the meaning while clients are connected; the variable stays, and with it
 * its node id and its monitored items.
 */
import type { LocalizedText, Namespace, UAVariable, Variant } from 'node-opcua';
import {
  type Clock,
  isSameMeaning,
  type MetricMeaning,
  type MetricValue,
  NO_MEANING,
  type StateText,
  stateText,
  type Unit,
  type UnitSource,
  unitId,
} from '../../model';
import type { Library } from '../library';
import type { LiveVariable } from './live-variable';
import { addProperty, retype, textOf } from './properties';
import { type PlainValue, splitInt64, type ValueType, type ValueWriter } from './values';

/** Bits of the verb in a ModelChangeStructure (Part 5 §12.17). */
export const MODEL_CHANGES = {
  nodeAdded: 0x01,
  nodeDeleted: 0x02,
  referenceAdded: 0x04,
  referenceDeleted: 0x08,
  dataTypeChanged: 0x10,
} as const;

const SOURCE_TEXTS: Readonly<Record<UnitSource, string>> = {
  user: 'Set by a user of the gateway',
  'device-tag': 'From a tag of the device in ChirpStack',
  'profile-tag': 'From a tag of the device profile in ChirpStack',
  'measurement-name': "From the measurement's name in the device profile",
  guessed: 'Guessed from the name of the metric: a tag unit_<metric> of the device or its profile says it for sure',
};

/** A unit as OPC UA tells it (Part 8 §5.6.4.3). */
export function engineeringUnits(library: Library, unit: Unit): ReturnType<Library['makeEUInformation']> {
  const information = library.makeEUInformation(unit.code ?? '', unit.symbol, unit.name);
  information.unitId = unitId(unit);
  return information;
}

type PropertyName = 'EngineeringUnits' | 'EURange' | 'FalseState' | 'TrueState' | 'EnumValues' | 'ValueAsText';

interface PropertyContent {
  readonly dataType: string;
  readonly valueRank?: number;
  readonly description: string;
  /** Absent for what follows the value. */
  readonly value?: {
    readonly dataType: Variant['dataType'];
    readonly arrayType?: Variant['arrayType'];
    value: unknown;
  };
}

type Properties = Partial<Record<PropertyName, PropertyContent>>;

const PROPERTY_NAMES: readonly PropertyName[] = [
  'EngineeringUnits',
  'EURange',
  'FalseState',
  'TrueState',
  'EnumValues',
  'ValueAsText',
];

/** BrowseName of the variable type that demands exactly the properties that there are. */
export function typeDefinitionOf({ unit, range, states }: MetricMeaning, type: ValueType | undefined): string {
  if (states !== undefined) {
    if (type === 'Boolean') return 'TwoStateDiscreteType';
    // Part 8 §5.3.3.4 allows integers only: a Double is a data item with the same properties, and not of that type.
    return type === 'Int64' || type === 'Int32' ? 'MultiStateValueDiscreteType' : 'DataItemType';
  }
  if (unit !== undefined) return range === undefined ? 'AnalogUnitType' : 'AnalogUnitRangeType';
  return range === undefined ? 'BaseDataVariableType' : 'AnalogItemType';
}

/** Whether two meanings say the same of what a property shows. */
function saysTheSame(name: PropertyName, before: MetricMeaning, after: MetricMeaning): boolean {
  if (name === 'EngineeringUnits')
    return before.unit?.code === after.unit?.code && before.unit?.symbol === after.unit?.symbol;
  if (name === 'EURange') return before.range?.low === after.range?.low && before.range?.high === after.range?.high;
  return JSON.stringify(before.states) === JSON.stringify(after.states);
}

export class MetricSemantics {
  readonly #library: Library;
  readonly #namespace: Namespace;
  readonly #writer: ValueWriter;
  readonly #clock: Clock;
  /** What is shown; variables without a meaning are not in it. */
  readonly #shown = new WeakMap<UAVariable, MetricMeaning>();

  constructor(library: Library, namespace: Namespace, writer: ValueWriter, clock: Clock) {
    this.#library = library;
    this.#namespace = namespace;
    this.#writer = writer;
    this.#clock = clock;
  }

  /**
   * Shows a meaning that fits the type of the variable.
   * @param id where the ids of the properties begin. Not that of the variable: what comes behind it may be another metric
   * @returns verb of the change of the model, 0 if nothing was added or taken away. That a property changed its value
   * is told by the library, with the SemanticsChanged bit and a SemanticChangeEvent (Part 8 §5.2)
   */
  show(live: LiveVariable, id: string, meaning: MetricMeaning): number {
    const { variable, type } = live;
    const before = this.#shown.get(variable) ?? NO_MEANING;
    if (isSameMeaning(before, meaning)) return 0;
    if (meaning === NO_MEANING) this.#shown.delete(variable);
    else this.#shown.set(variable, meaning);
    let verb = this.#setTypeDefinition(variable, typeDefinitionOf(meaning, type));
    const wanted = this.#properties(meaning, type);
    for (const name of PROPERTY_NAMES)
      verb |= this.#setProperty(variable, id, name, wanted[name], !saysTheSame(name, before, meaning));
    this.#followText(live, wanted.ValueAsText === undefined ? undefined : meaning.states);
    return verb;
  }

  /** Whether the values of a metric are states. */
  hasStates(variable: UAVariable): boolean {
    return this.#shown.get(variable)?.states !== undefined;
  }

  #properties({ unit, range, states }: MetricMeaning, type: ValueType | undefined): Properties {
    const { DataType, VariantArrayType, Range, EnumValueType } = this.#library;
    const text = (value: string): LocalizedText => textOf(this.#library, value);
    const structure = (value: unknown): NonNullable<PropertyContent['value']> => ({
      dataType: DataType.ExtensionObject,
      value,
    });
    const properties: Properties = {};
    if (unit !== undefined)
      properties.EngineeringUnits = {
        dataType: 'EUInformation',
        description: SOURCE_TEXTS[unit.source],
        value: structure(engineeringUnits(this.#library, unit)),
      };
    if (range !== undefined)
      properties.EURange = {
        dataType: 'Range',
        description: 'Lowest and highest value in normal operation',
        value: structure(new Range(range)),
      };
    if (states === undefined) return properties;
    if (type === 'Boolean') {
      const state = (value: boolean): PropertyContent => ({
        dataType: 'LocalizedText',
        description: `What ${value} means`,
        value: { dataType: DataType.LocalizedText, value: text(stateText(states, value) ?? '') },
      });
      properties.FalseState = state(false);
      properties.TrueState = state(true);
      return properties;
    }
    properties.EnumValues = {
      dataType: 'EnumValueType',
      description: 'Numbers of the states, and what they mean',
      valueRank: 1,
      value: {
        dataType: DataType.ExtensionObject,
        arrayType: VariantArrayType.Array,
        value: states.map(
          ([value, name]) =>
            new EnumValueType({ value: splitInt64(BigInt(value)), displayName: text(name), description: text(name) }),
        ),
      },
    };
    properties.ValueAsText = { dataType: 'LocalizedText', description: 'What the value means' };
    return properties;
  }

  #setTypeDefinition(variable: UAVariable, name: string): number {
    const type = variable.addressSpace.findVariableType(name);
    if (type === null || variable.typeDefinition.toString() === type.nodeId.toString()) return 0;
    retype(variable, type.nodeId);
    return MODEL_CHANGES.referenceAdded | MODEL_CHANGES.referenceDeleted;
  }

  /** @param isNews whether the value differs from what is shown: the library tells clients of each value that is set */
  #setProperty(
    variable: UAVariable,
    id: string,
    name: PropertyName,
    content: PropertyContent | undefined,
    isNews: boolean,
  ): number {
    const known = variable.getPropertyByName(name);
    if (content === undefined) {
      if (known === null) return 0;
      variable.addressSpace.deleteNode(known);
      return MODEL_CHANGES.referenceDeleted;
    }
    const { dataType, valueRank = -1, description, value } = content;
    const property =
      known ??
      addProperty(this.#library, this.#namespace, variable, {
        id: `s=${id}/${name}`,
        name,
        description,
        dataType,
        valueRank,
      });
    if (property.description.text !== description) property.setDescription(textOf(this.#library, description));
    if (value !== undefined && (isNews || known === null)) property.setValueFromSource(value);
    return known === null ? MODEL_CHANGES.referenceAdded : 0;
  }

  #followText(live: LiveVariable, states: readonly StateText[] | undefined): void {
    const property = states === undefined ? null : live.variable.getPropertyByName('ValueAsText');
    live.follow(
      property === null
        ? undefined
        : (value, quality, sourceTime, serverTime) =>
            this.#writer.publishValue(
              property,
              'LocalizedText',
              // A value that is none of the states has no text, but it is as good as it is.
              value === undefined ? undefined : (stateText(states, asMetricValue(value)) ?? ''),
              quality,
              sourceTime,
              serverTime,
            ),
      new Date(this.#clock.now()),
    );
  }
}

function asMetricValue(value: PlainValue): MetricValue | undefined {
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? value : undefined;
}
