/** Makes nodes with everything said explicitly: access level, rank, type, description, browse name. */
import type { AddressSpace, LocalizedText, Namespace, NodeId, UAObject, UAObjectType, UAVariable } from 'node-opcua';
import type { Clock, MetricMeaning, Unit } from '../model';
import { Historizing } from './history/configuration';
import type { Library } from './library';
import { LiveVariable } from './live-variable';
import { engineeringUnits, MetricSemantics, typeDefinitionOf } from './metric-semantics';
import { createObjectTypes, GATEWAY_NAMESPACE, MODEL_NAMESPACE, type ObjectTypes } from './object-types';
import { type ValueType, ValueWriter } from './values';

export interface VariableSpecification {
  /** BrowseName in the model's namespace, and DisplayName. */
  readonly name: string;
  readonly type: ValueType;
  readonly description: string;
  readonly unit?: Unit;
  /** Names of the states 0, 1, … of a discrete variable. */
  readonly states?: readonly string[];
}

export interface ObjectSpecification {
  /** Identifier of the node in `urn:lorua:gateway`. */
  readonly id: string;
  readonly browseName: string;
  /** Whether the browse name is one of the model, so that type and instance can be compared. */
  readonly inModel?: boolean;
  readonly displayName: string;
  readonly description?: string;
  readonly type: UAObjectType | 'FolderType';
  readonly parent: UAObject;
  readonly link: 'componentOf' | 'organizedBy';
}

export class NodeFactory {
  readonly library: Library;
  readonly addressSpace: AddressSpace;
  readonly writer: ValueWriter;
  readonly types: ObjectTypes;
  readonly clock: Clock;
  readonly #model: Namespace;
  readonly #gateway: Namespace;
  readonly #historizing: Historizing;
  readonly #semantics: MetricSemantics;

  constructor(library: Library, addressSpace: AddressSpace, clock: Clock) {
    this.library = library;
    this.addressSpace = addressSpace;
    this.clock = clock;
    this.writer = new ValueWriter(library);
    // The order gives the namespace indices, which careless clients write down.
    this.#model = addressSpace.registerNamespace(MODEL_NAMESPACE);
    this.#gateway = addressSpace.registerNamespace(GATEWAY_NAMESPACE);
    this.#historizing = new Historizing(library, addressSpace, this.#gateway);
    this.#semantics = new MetricSemantics(library, this.#gateway, this.writer, clock);
    this.types = createObjectTypes(this.#model, (type, members) => {
      for (const [, specification] of Object.entries(members)) this.#addToType(type, specification);
    });
  }

  /** Whether values in a namespace are ours, pushed by this program. */
  isPushed(namespaceIndex: number): boolean {
    return namespaceIndex === this.#gateway.index;
  }

  now(): Date {
    return new Date(this.clock.now());
  }

  text(text: string): LocalizedText {
    return new this.library.LocalizedText({ text, locale: null });
  }

  object(specification: ObjectSpecification): UAObject {
    const { id, browseName, displayName, description, type, parent, link, inModel = false } = specification;
    return this.#gateway.addObject({
      nodeId: `s=${id}`,
      browseName: { name: browseName, namespaceIndex: (inModel ? this.#model : this.#gateway).index },
      displayName: this.text(displayName),
      ...(description === undefined ? {} : { description: this.text(description) }),
      typeDefinition: type,
      [link]: parent,
    });
  }

  /** A folder or part of an object, named by the model. */
  part(parent: UAObject, id: string, name: string, type: UAObjectType | 'FolderType'): UAObject {
    return this.object({ id, browseName: name, inModel: true, displayName: name, type, parent, link: 'componentOf' });
  }

  /** A variable that the model names. */
  member(parent: UAObject, id: string, specification: VariableSpecification): LiveVariable {
    const { name, type, description } = specification;
    const variable = this.#gateway.addVariable({
      nodeId: `s=${id}`,
      browseName: { name, namespaceIndex: this.#model.index },
      displayName: this.text(name),
      description: this.text(description),
      componentOf: parent,
      typeDefinition: this.#typeDefinition(specification),
      ...this.#attributes(type),
    });
    this.#addSemantics(this.#gateway, variable, `s=${id}`, specification);
    return new LiveVariable(this.writer, variable, type, this.now());
  }

  /**
   * A variable for a metric.
   * @param type `undefined` = BaseDataType until the first value tells
   * @param meaning as it will be shown by {@link setMeaning}
   */
  metric(
    parent: UAObject,
    id: string,
    key: string,
    name: string,
    type: ValueType | undefined,
    meaning: MetricMeaning,
  ): LiveVariable {
    const variable = this.#gateway.addVariable({
      nodeId: `s=${id}`,
      browseName: { name: key, namespaceIndex: this.#gateway.index },
      displayName: this.text(name),
      description: this.text(name === key ? key : `${name} (${key})`),
      componentOf: parent,
      typeDefinition: typeDefinitionOf(meaning, type),
      ...this.#attributes(type),
    });
    return new LiveVariable(this.writer, variable, type, this.now());
  }

  /**
   * Shows what the values of a metric mean.
   * @param id where the ids of the properties begin
   * @returns verb of the change of the model, 0 if there is none to announce
   */
  setMeaning(live: LiveVariable, id: string, meaning: MetricMeaning): number {
    return this.#semantics.show(live, id, meaning);
  }

  /** Shows whether the history of a metric is kept. Only numbers with a fraction run from one value to the next. */
  setHistorizing({ variable, type }: LiveVariable, historizing: boolean): void {
    this.#historizing.set(variable, historizing, type === undefined ? undefined : type !== 'Double');
  }

  /**
   * Makes changes below a node known: from now on they raise GeneralModelChangeEvents (Part 3 §9.32).
   * @param id identifier of the NodeVersion property
   */
  addNodeVersion(node: UAObject, id: string): void {
    const version = this.#gateway.addVariable({
      nodeId: `s=${id}`,
      browseName: { name: 'NodeVersion', namespaceIndex: 0 },
      description: this.text('Grows with each change of what is below the node'),
      propertyOf: node,
      typeDefinition: 'PropertyType',
      ...this.#attributes('String'),
    });
    const now = this.now();
    this.writer.publishValue(version, 'String', '1', 'Good', now, now);
  }

  /** Tells clients that a variable changed otherwise than in its value; `verb` as in Part 5 §12.17. */
  announceChange(variable: UAVariable, verb: number): void {
    const { library } = this;
    this.addressSpace.rootFolder.objects.server.raiseEvent('GeneralModelChangeEventType', {
      changes: {
        dataType: library.DataType.ExtensionObject,
        arrayType: library.VariantArrayType.Array,
        value: [
          new library.ModelChangeStructureDataType({
            affected: variable.nodeId,
            affectedType: variable.typeDefinition,
            verb,
          }),
        ],
      },
    });
  }

  /** Moves an organized object from one folder to another; its node and all below stay. */
  move(node: UAObject, from: UAObject, to: UAObject): void {
    const reference = { referenceType: 'Organizes', isForward: true, nodeId: node.nodeId };
    from.removeReference(reference);
    to.addReference(reference);
  }

  #attributes(type: ValueType | undefined): {
    dataType: NodeId;
    valueRank: number;
    accessLevel: string;
    userAccessLevel: string;
    minimumSamplingInterval: number;
  } {
    return {
      dataType:
        type === undefined
          ? this.library.resolveNodeId(`i=${this.library.DataTypeIds.BaseDataType}`)
          : this.writer.dataTypeId(type),
      valueRank: type === 'String[]' ? 1 : -1,
      accessLevel: 'CurrentRead',
      userAccessLevel: 'CurrentRead',
      minimumSamplingInterval: 0,
    };
  }

  #typeDefinition({ unit, states }: VariableSpecification): string {
    if (unit !== undefined) return 'AnalogUnitType';
    return states === undefined ? 'BaseDataVariableType' : 'MultiStateDiscreteType';
  }

  #addToType(type: UAObjectType, specification: VariableSpecification): void {
    const id = `s=${type.browseName.name}/${specification.name}`;
    const variable = this.#model.addVariable({
      nodeId: id,
      browseName: { name: specification.name, namespaceIndex: this.#model.index },
      displayName: this.text(specification.name),
      description: this.text(specification.description),
      componentOf: type,
      modellingRule: 'Mandatory',
      typeDefinition: this.#typeDefinition(specification),
      ...this.#attributes(specification.type),
    });
    this.#addSemantics(this.#model, variable, id, specification, 'Mandatory');
  }

  #addSemantics(
    namespace: Namespace,
    variable: UAVariable,
    id: string,
    { unit, states }: VariableSpecification,
    modellingRule?: 'Mandatory',
  ): void {
    const { library } = this;
    const property = (name: string, description: string, dataType: string, valueRank: number): UAVariable =>
      namespace.addVariable({
        nodeId: `${id}/${name}`,
        browseName: { name, namespaceIndex: 0 },
        description: this.text(description),
        propertyOf: variable,
        typeDefinition: 'PropertyType',
        ...(modellingRule === undefined ? {} : { modellingRule }),
        dataType,
        valueRank,
        accessLevel: 'CurrentRead',
        userAccessLevel: 'CurrentRead',
        minimumSamplingInterval: 0,
      });
    if (unit !== undefined)
      property('EngineeringUnits', 'Unit of the value', 'EUInformation', -1).setValueFromSource({
        dataType: library.DataType.ExtensionObject,
        value: engineeringUnits(library, unit),
      });
    if (states !== undefined)
      property('EnumStrings', 'What 0, 1, … mean', 'LocalizedText', 1).setValueFromSource({
        dataType: library.DataType.LocalizedText,
        arrayType: library.VariantArrayType.Array,
        value: states.map((state) => this.text(state)),
      });
  }
}
