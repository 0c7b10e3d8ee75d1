/** Makes nodes with everything said explicitly: access level, rank, type, description, browse name. */
import type {
  AddressSpace,
  BaseNode,
  LocalizedText,
  Namespace,
  NodeId,
  UAObject,
  UAObjectType,
  UAVariable,
} from 'node-opcua';
import type { Clock, MetricMeaning, Unit } from '../../model';
import { Historizing } from '../history/configuration';
import type { Library } from '../library';
import { LiveVariable } from './live-variable';
import { engineeringUnits, MetricSemantics, typeDefinitionOf } from './metric-semantics';
import { addNamespaces, type Namespaces } from './namespaces';
import { createObjectTypes, type ObjectTypes } from './object-types';
import { addProperty, type PropertySpecification, textOf } from './properties';
import { type PlainValue, type ValueType, ValueWriter } from './values';

export interface VariableSpecification {
  /** BrowseName in the model's namespace, and DisplayName. */
  readonly name: string;
  /** The BrowseName is one of the Devices standard. */
  readonly inDi?: boolean;
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
  /** Whose word the browse name is, so that type and instance can be compared; absent = of no type. */
  readonly nameOf?: 'model' | 'di';
  readonly displayName: string;
  readonly description?: string;
  readonly type: UAObjectType | 'FolderType';
  readonly parent: UAObject;
  readonly link: 'componentOf' | 'organizedBy';
}

/** What an attribute of a variable is where nothing else is said. */
export interface VariableAttributes {
  readonly dataType: NodeId;
  readonly valueRank: number;
  readonly accessLevel: string;
  readonly userAccessLevel: string;
  readonly minimumSamplingInterval: number;
}

export class NodeFactory {
  readonly library: Library;
  readonly addressSpace: AddressSpace;
  readonly namespaces: Namespaces;
  readonly writer: ValueWriter;
  readonly types: ObjectTypes;
  readonly clock: Clock;
  readonly #historizing: Historizing;
  readonly #semantics: MetricSemantics;
  /** Texts of the model, which come again with every device. */
  readonly #modelTexts = new Map<string, LocalizedText>();
  #now = new Date(0);
  #date = new Date(0);

  /** Adds namespaces and types to the standard ones. */
  static async open(library: Library, addressSpace: AddressSpace, clock: Clock): Promise<NodeFactory> {
    return new NodeFactory(library, addressSpace, clock, await addNamespaces(library, addressSpace));
  }

  private constructor(library: Library, addressSpace: AddressSpace, clock: Clock, namespaces: Namespaces) {
    this.library = library;
    this.addressSpace = addressSpace;
    this.clock = clock;
    this.namespaces = namespaces;
    this.writer = new ValueWriter(library, namespaces.di.index);
    this.#historizing = new Historizing(library, addressSpace, namespaces.gateway);
    this.#semantics = new MetricSemantics(library, namespaces.gateway, this.writer, clock);
    this.types = createObjectTypes(library, addressSpace, namespaces, (type, members) => {
      for (const [, specification] of Object.entries(members)) this.#addToType(type, specification);
    });
  }

  /** Whether values in a namespace are ours, pushed by this program. */
  isPushed(namespaceIndex: number): boolean {
    return namespaceIndex === this.namespaces.gateway.index;
  }

  now(): Date {
    const now = this.clock.now();
    if (this.#now.getTime() !== now) this.#now = new Date(now);
    return this.#now;
  }

  /** One object for values of the same instant: they come many at a time, and each keeps its own otherwise. */
  date(instant: number): Date {
    if (this.#date.getTime() !== instant) this.#date = new Date(instant);
    return this.#date;
  }

  text(text: string): LocalizedText {
    return textOf(this.library, text);
  }

  object(specification: ObjectSpecification): UAObject {
    const { id, browseName, displayName, description, type, parent, link, nameOf = 'gateway' } = specification;
    const { gateway } = this.namespaces;
    return gateway.addObject({
      nodeId: this.#nodeId(id),
      browseName: { name: browseName, namespaceIndex: this.namespaces[nameOf].index },
      displayName: this.text(displayName),
      ...(description === undefined ? {} : { description: this.text(description) }),
      typeDefinition: type,
      [link]: parent,
    });
  }

  /** A folder or part of an object, named by the model or by the Devices standard. */
  part(
    parent: UAObject,
    id: string,
    name: string,
    type: UAObjectType | 'FolderType',
    nameOf: 'model' | 'di' = 'model',
  ): UAObject {
    return this.object({ id, browseName: name, nameOf, displayName: name, type, parent, link: 'componentOf' });
  }

  /** All variables of an object, by their keys; the ids are the keys behind that of the object. */
  members<Key extends string>(
    parent: UAObject,
    id: string,
    specifications: Readonly<Record<Key, VariableSpecification>>,
  ): Readonly<Record<Key, LiveVariable>> {
    const keys = Object.keys(specifications) as Key[];
    return Object.fromEntries(
      keys.map((key) => [key, this.member(parent, `${id}/${key}`, specifications[key])]),
    ) as Record<Key, LiveVariable>;
  }

  /** A variable that the model names. */
  member(parent: UAObject, id: string, specification: VariableSpecification): LiveVariable {
    const { name, type, description } = specification;
    // The objects that have members carry no NodeVersion.
    const variable = this.#untold(() =>
      this.namespaces.gateway.addVariable({
        nodeId: this.#nodeId(id),
        browseName: { name, namespaceIndex: this.#nameIndex(specification) },
        displayName: this.#modelText(name),
        description: this.#modelText(description),
        componentOf: parent,
        typeDefinition: this.#typeDefinition(specification),
        ...this.attributes(type),
      }),
    );
    this.#addSemantics(this.namespaces.gateway, variable, `s=${id}`, specification);
    return new LiveVariable(this.writer, variable, type, this.now());
  }

  /** A property that a type demands, with a value that stays. */
  property(parent: UAObject, id: string, specification: VariableSpecification, value: PlainValue): void {
    const { name, type, description } = specification;
    const now = this.now();
    const property = addProperty(this.library, this.namespaces.gateway, parent, {
      id: `s=${id}`,
      name,
      nameIndex: this.#nameIndex(specification),
      description,
      dataType: this.writer.dataTypeId(type),
    });
    this.writer.publishValue(property, type, value, 'Good', now, now);
  }

  /**
   * A variable for a metric.
   * @param type `undefined` = BaseDataType until the first value tells
   * @param meaning as it will be shown by {@link setMeaning}
   * @param isTold whether clients are told that the model has changed
   */
  metric(
    parent: UAObject,
    id: string,
    key: string,
    name: string,
    type: ValueType | undefined,
    meaning: MetricMeaning,
    isTold: boolean,
  ): LiveVariable {
    const make = (): UAVariable =>
      this.namespaces.gateway.addVariable({
        nodeId: this.#nodeId(id),
        browseName: { name: key, namespaceIndex: this.namespaces.gateway.index },
        // As plain texts, which the library makes into objects when somebody asks for them.
        displayName: name,
        description: name === key ? key : `${name} (${key})`,
        componentOf: parent,
        typeDefinition: typeDefinitionOf(meaning, type),
        ...this.attributes(type),
      });
    const variable = isTold ? make() : this.#untold(make);
    return new LiveVariable(this.writer, variable, type, this.now());
  }

  /** The variable by which a command is sent; who may write it is said by the caller. */
  commandValue(parent: UAObject, id: string, type: ValueType, meaning: MetricMeaning): LiveVariable {
    const variable = this.namespaces.gateway.addVariable({
      nodeId: `s=${id}`,
      browseName: { name: 'Value', namespaceIndex: this.namespaces.model.index },
      displayName: this.#modelText('Value'),
      componentOf: parent,
      typeDefinition: typeDefinitionOf(meaning, type),
      ...this.attributes(type),
    });
    return new LiveVariable(this.writer, variable, type, this.now());
  }

  /**
   * Shows what the values of a metric mean.
   * @param id where the ids of the properties begin
   * @returns verb of the change of the model, 0 if there is none to announce
   */
  setMeaning(live: LiveVariable, id: string, meaning: MetricMeaning): number {
    const changes = this.#semantics.show(live, id, meaning);
    if (changes !== 0 && live.variable.historizing) this.setHistorizing(live, true);
    return changes;
  }

  /** Shows whether the history of a metric is kept. */
  setHistorizing(live: LiveVariable, historizing: boolean): void {
    this.#historizing.set(live.variable, historizing, live.type === undefined ? undefined : this.isStepped(live));
  }

  /** Only numbers with a fraction run from one value to the next, unless they are states. */
  isStepped({ variable, type }: LiveVariable): boolean {
    return type !== 'Double' || this.#semantics.hasStates(variable);
  }

  /**
   * Makes changes below a node known: from now on they raise GeneralModelChangeEvents (Part 3 §9.32).
   * @param id identifier of the NodeVersion property
   */
  addNodeVersion(node: UAObject, id: string): void {
    const version = addProperty(this.library, this.namespaces.gateway, node, {
      id: `s=${id}`,
      name: 'NodeVersion',
      description: 'Grows with each change of what is below the node',
      dataType: 'String',
    });
    const now = this.now();
    this.writer.publishValue(version, 'String', '1', 'Good', now, now);
  }

  /** Tells clients that a node changed otherwise than in its value; `verb` as in Part 5 §12.17. */
  announceChange(node: BaseNode, verb: number): void {
    this.announceChanges([[node, verb]]);
  }

  /** Tells of many changes in one event. */
  announceChanges(changes: readonly (readonly [BaseNode, number])[]): void {
    const { library } = this;
    this.addressSpace.rootFolder.objects.server.raiseEvent('GeneralModelChangeEventType', {
      changes: {
        dataType: library.DataType.ExtensionObject,
        arrayType: library.VariantArrayType.Array,
        value: changes.map(
          ([node, verb]) =>
            new library.ModelChangeStructureDataType({
              affected: node.nodeId,
              // Null for what has no type definition: types.
              affectedType:
                'typeDefinition' in node ? (node as UAObject | UAVariable).typeDefinition : new library.NodeId(),
              verb,
            }),
        ),
      },
    });
  }

  /** Moves an organized object from one folder to another; its node and all below stay. */
  move(node: UAObject, from: UAObject, to: UAObject): void {
    const reference = { referenceType: 'Organizes', isForward: true, nodeId: node.nodeId };
    from.removeReference(reference);
    to.addReference(reference);
  }

  /** @param type undefined = not known */
  attributes(type: ValueType | undefined): VariableAttributes {
    return {
      dataType: this.writer.dataTypeId(type),
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

  /** A text of the model: as many objects as there are texts, not nodes. */
  #modelText(text: string): LocalizedText {
    const known = this.#modelTexts.get(text) ?? this.text(text);
    this.#modelTexts.set(text, known);
    return known;
  }

  /** As an object: a text would be searched for its namespace at each node. */
  #nodeId(id: string): NodeId {
    const { NodeId, NodeIdType } = this.library;
    return new NodeId(NodeIdType.STRING, id, this.namespaces.gateway.index);
  }

  /** Without a look whom to tell of it: that takes as long as a tenth of making the node. */
  #untold<Result>(make: () => Result): Result {
    const { addressSpace } = this;
    const { suspendModelChangeEvents: before } = addressSpace;
    addressSpace.suspendModelChangeEvents = true;
    try {
      return make();
    } finally {
      addressSpace.suspendModelChangeEvents = before;
    }
  }

  #nameIndex({ inDi = false }: VariableSpecification): number {
    return (inDi ? this.namespaces.di : this.namespaces.model).index;
  }

  #addToType(type: UAObjectType, specification: VariableSpecification): void {
    const id = `s=${type.browseName.name}/${specification.name}`;
    const variable = this.namespaces.model.addVariable({
      nodeId: id,
      browseName: { name: specification.name, namespaceIndex: this.#nameIndex(specification) },
      displayName: this.text(specification.name),
      description: this.text(specification.description),
      componentOf: type,
      modellingRule: 'Mandatory',
      typeDefinition: this.#typeDefinition(specification),
      ...this.attributes(specification.type),
    });
    this.#addSemantics(this.namespaces.model, variable, id, specification, 'Mandatory');
  }

  #addSemantics(
    namespace: Namespace,
    variable: UAVariable,
    id: string,
    { unit, states }: VariableSpecification,
    modellingRule?: PropertySpecification['modellingRule'],
  ): void {
    const { library } = this;
    const { DataType, VariantArrayType } = library;
    const property = (name: string, description: string, dataType: string, valueRank?: number): UAVariable =>
      addProperty(library, namespace, variable, {
        id: `${id}/${name}`,
        name,
        description,
        dataType,
        ...(valueRank === undefined ? {} : { valueRank }),
        ...(modellingRule === undefined ? {} : { modellingRule }),
      });
    if (unit !== undefined)
      property('EngineeringUnits', 'Unit of the value', 'EUInformation').setValueFromSource({
        dataType: DataType.ExtensionObject,
        value: engineeringUnits(library, unit),
      });
    if (states !== undefined)
      property('EnumStrings', 'What 0, 1, … mean', 'LocalizedText', 1).setValueFromSource({
        dataType: DataType.LocalizedText,
        arrayType: VariantArrayType.Array,
        value: states.map((state) => this.#modelText(state)),
      });
  }
}
