/** The one way in which properties are made and type definitions change. */
import type { BaseNode, LocalizedText, Namespace, NodeId, UAObject, UAObjectType, UAVariable } from 'node-opcua';
import type { Library } from '../library';

export interface PropertySpecification {
  /** The whole node id without the namespace: `s=…`. */
  readonly id: string;
  readonly name: string;
  /** Namespace of the BrowseName; absent = namespace 0. */
  readonly nameIndex?: number;
  readonly description: string;
  readonly dataType: string | NodeId;
  /** Absent = scalar. */
  readonly valueRank?: number;
  /** Only of properties of types. */
  readonly modellingRule?: 'Mandatory' | 'Optional';
}

export function textOf({ LocalizedText: Text }: Library, text: string): LocalizedText {
  return new Text({ text, locale: null });
}

/** Adds a property that nobody may write and whose value is pushed. */
export function addProperty(
  library: Library,
  namespace: Namespace,
  node: UAObject | UAVariable | UAObjectType | BaseNode,
  specification: PropertySpecification,
): UAVariable {
  const { id, name, nameIndex = 0, description, dataType, valueRank = -1, modellingRule } = specification;
  return namespace.addVariable({
    nodeId: id,
    browseName: { name, namespaceIndex: nameIndex },
    displayName: textOf(library, name),
    description: textOf(library, description),
    propertyOf: node,
    typeDefinition: 'PropertyType',
    ...(modellingRule === undefined ? {} : { modellingRule }),
    dataType,
    valueRank,
    accessLevel: 'CurrentRead',
    userAccessLevel: 'CurrentRead',
    minimumSamplingInterval: 0,
  });
}

/** Gives a node another type definition. */
export function retype(node: UAObject | UAVariable, type: NodeId): void {
  const reference = (nodeId: NodeId): Parameters<BaseNode['addReference']>[0] => ({
    referenceType: 'HasTypeDefinition',
    isForward: true,
    nodeId,
  });
  node.removeReference(reference(node.typeDefinition));
  node.addReference(reference(type));
}
