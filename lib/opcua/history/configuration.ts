/**
 * HistoricalDataConfiguration objects (Part 11 §5.2.2): two for all metrics, since histories differ in nothing but
 * whether values hold until the next one. One per metric, as the library makes them, costs 26 kB each.
 */
import type { AddressSpace, DataType, Namespace, UAObject, UAVariable } from 'node-opcua';
import { DEFAULT_AGGREGATE_CONFIGURATION } from '../../model';
import { textOf } from '../address-space/properties';
import type { Library } from '../library';

/** The library takes over none from the standard (Part 11 §5.2.2, Part 13 §4.2.1.2). */
const DESCRIPTIONS = {
  Stepped: 'Whether a value holds until the next one, or runs to it',
  TreatUncertainAsBad: 'Whether aggregates take uncertain values for bad ones',
  PercentDataBad: 'Bad data of an interval from which on an aggregate is bad, in percent',
  PercentDataGood: 'Good data of an interval from which on an aggregate is good, in percent',
  UseSlopedExtrapolation: 'Whether aggregates extrapolate along the slope of the last values',
} as const;

export interface HistoryConfigurations {
  /** For metrics whose values hold until the next one. */
  readonly stepped: UAObject;
  /** For metrics that run from one value to the next. */
  readonly interpolated: UAObject;
}

/** Makes both, below no object of their own: they are found from the variables (Part 11 §5.2.4). */
export function createHistoryConfigurations(
  library: Library,
  addressSpace: AddressSpace,
  namespace: Namespace,
): HistoryConfigurations {
  const types = library.DataType;
  const set = (
    parent: UAObject,
    name: keyof typeof DESCRIPTIONS,
    dataType: DataType,
    value: boolean | number,
  ): void => {
    const property = parent.getPropertyByName(name);
    property?.setDescription(textOf(library, DESCRIPTIONS[name]));
    property?.setValueFromSource({ dataType, value });
  };
  const make = (id: string, stepped: boolean): UAObject => {
    const type = addressSpace.findObjectType('HistoricalDataConfigurationType');
    if (type === null) throw new Error('the OPC UA library knows no HistoricalDataConfigurationType');
    const configuration = type.instantiate({
      namespace,
      nodeId: `s=${id}`,
      browseName: { name: 'HA Configuration', namespaceIndex: 0 },
      optionals: [],
    });
    set(configuration, 'Stepped', types.Boolean, stepped);
    const aggregates = configuration.getComponentByName('AggregateConfiguration') as UAObject | null;
    if (aggregates !== null) {
      const { treatUncertainAsBad, percentDataBad, percentDataGood, useSlopedExtrapolation } =
        DEFAULT_AGGREGATE_CONFIGURATION;
      set(aggregates, 'TreatUncertainAsBad', types.Boolean, treatUncertainAsBad);
      set(aggregates, 'PercentDataBad', types.Byte, percentDataBad);
      set(aggregates, 'PercentDataGood', types.Byte, percentDataGood);
      set(aggregates, 'UseSlopedExtrapolation', types.Boolean, useSlopedExtrapolation);
    }
    return configuration;
  };
  return { stepped: make('history/stepped', true), interpolated: make('history/interpolated', false) };
}

/** Marks variables as historizing, and back. */
export class Historizing {
  readonly #library: Library;
  readonly #configurations: HistoryConfigurations;

  constructor(library: Library, addressSpace: AddressSpace, namespace: Namespace) {
    this.#library = library;
    this.#configurations = createHistoryConfigurations(library, addressSpace, namespace);
  }

  /** @param stepped `undefined` = not known before the first value came */
  set(variable: UAVariable, historizing: boolean, stepped: boolean | undefined): void {
    if (variable.historizing !== historizing) {
      const level = this.#library.makeAccessLevelFlag(historizing ? 'CurrentRead | HistoryRead' : 'CurrentRead');
      variable.accessLevel = level;
      variable.userAccessLevel = level;
      variable.historizing = historizing;
      if (!historizing) this.#unlink(variable);
    }
    if (!historizing || stepped === undefined) return;
    const { nodeId } = stepped ? this.#configurations.stepped : this.#configurations.interpolated;
    const [known] = this.#links(variable);
    if (known?.nodeId.toString() === nodeId.toString()) return;
    if (known !== undefined) variable.removeReference(known);
    variable.addReference({ referenceType: 'HasHistoricalConfiguration', nodeId });
  }

  #links(variable: UAVariable): ReturnType<UAVariable['findReferencesEx']> {
    return variable.findReferencesEx('HasHistoricalConfiguration', this.#library.BrowseDirection.Forward);
  }

  #unlink(variable: UAVariable): void {
    for (const reference of this.#links(variable)) variable.removeReference(reference);
  }
}
