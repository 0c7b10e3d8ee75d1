/**
 * The namespaces of the server: types, instances, and the standard for devices on which the types build. Each tells in
 * the NamespaceMetadata object of the Server object (Part 5 §6.3.13) what it is and who may do what in it.
 */
import type { AddressSpace, Namespace, UAObject, Variant } from 'node-opcua';
import type { Library } from '../library';
import { addProperty } from './properties';

export const MODEL_NAMESPACE = 'urn:lorua:model';
export const GATEWAY_NAMESPACE = 'urn:lorua:gateway';
/** OPC 10000-100, Devices. */
export const DI_NAMESPACE = 'http://opcfoundation.org/UA/DI/';

/** Version of the types; grows with each change of them, in step with the published NodeSet. */
export const MODEL_VERSION = '1.0.0';
export const MODEL_PUBLISHED = new Date(Date.UTC(2026, 10, 24));

export interface Namespaces {
  readonly model: Namespace;
  readonly gateway: Namespace;
  /** Only looked at. */
  readonly di: { readonly index: number };
}

/**
 * Adds the namespaces to an address space that has the standard one.
 * @throws any error of the library: its copy of the Devices NodeSet cannot be read
 */
export async function addNamespaces(library: Library, addressSpace: AddressSpace): Promise<Namespaces> {
  // The order gives the namespace indices, which careless clients write down: Devices came last.
  const model = addressSpace.registerNamespace(MODEL_NAMESPACE);
  const gateway = addressSpace.registerNamespace(GATEWAY_NAMESPACE);
  await library.generateAddressSpace(addressSpace, [library.nodesets.di]);
  for (const namespace of [model, gateway]) {
    namespace.version = MODEL_VERSION;
    namespace.publicationDate = MODEL_PUBLISHED;
    describeNamespace(library, addressSpace, namespace);
  }
  return { model, gateway, di: { index: addressSpace.getNamespaceIndex(DI_NAMESPACE) } };
}

/** Of the enumeration IdType (Part 3 §8.2.3). */
const STRING_IDS = 1;

/** Each namespace has its own, so the ids may be the same. */
const METADATA = 's=NamespaceMetadata';

function metadataOf(namespace: Namespace): UAObject {
  const node = namespace.findNode(METADATA);
  if (node === null) throw new Error(`namespace ${namespace.namespaceUri} has no metadata`);
  return node as UAObject;
}

function describeNamespace(library: Library, addressSpace: AddressSpace, namespace: Namespace): void {
  const { DataType, VariantArrayType } = library;
  const namespaces = addressSpace.rootFolder.objects.server.getComponentByName('Namespaces');
  const isModel = namespace.namespaceUri === MODEL_NAMESPACE;
  const metadata = namespace.addObject({
    nodeId: METADATA,
    browseName: { name: namespace.namespaceUri, namespaceIndex: namespace.index },
    description: isModel ? 'Types of the gateway' : 'Devices and the gateway itself',
    typeDefinition: 'NamespaceMetadataType',
    ...(namespaces === null ? {} : { componentOf: namespaces }),
  });
  const tell = (
    name: string,
    description: string,
    dataType: string,
    value: { dataType: Variant['dataType']; arrayType?: Variant['arrayType']; value: unknown },
  ): void => {
    addProperty(library, namespace, metadata, {
      id: `${METADATA}/${name}`,
      name,
      description,
      dataType,
      valueRank: value.arrayType === undefined ? -1 : 1,
    }).setValueFromSource(value);
  };
  const text = DataType.String;
  tell('NamespaceUri', 'URI of the namespace', 'String', { dataType: text, value: namespace.namespaceUri });
  tell('NamespaceVersion', 'Version of the model', 'String', { dataType: text, value: MODEL_VERSION });
  tell('NamespacePublicationDate', 'Publication date of that version', 'DateTime', {
    dataType: DataType.DateTime,
    value: MODEL_PUBLISHED,
  });
  tell('IsNamespaceSubset', 'Whether nodes of the namespace are missing here', 'Boolean', {
    dataType: DataType.Boolean,
    value: false,
  });
  tell('StaticNodeIdTypes', 'Kinds of node ids that are the same on every server', 'IdType', {
    dataType: DataType.Int32,
    arrayType: VariantArrayType.Array,
    value: isModel ? [STRING_IDS] : [],
  });
  tell('StaticNumericNodeIdRange', 'Numeric node ids that are the same on every server', 'NumericRange', {
    dataType: text,
    arrayType: VariantArrayType.Array,
    value: [],
  });
  tell('StaticStringNodeIdPattern', 'Node ids that are the same on every server, as a regular expression', 'String', {
    dataType: text,
    value: isModel ? '.*' : '',
  });
}

/** Shows in the metadata what rights roles have by default: the ones that were set on the namespaces. */
export function publishRights(library: Library, namespaces: readonly Namespace[]): void {
  const { DataType, Variant, VariantArrayType } = library;
  for (const namespace of namespaces) {
    const rights = addProperty(library, namespace, metadataOf(namespace), {
      id: `${METADATA}/DefaultRolePermissions`,
      name: 'DefaultRolePermissions',
      description: 'What each role may do with nodes of the namespace that say nothing else',
      dataType: 'RolePermissionType',
      valueRank: 1,
    });
    rights.bindVariable(
      {
        get: () =>
          new Variant({
            dataType: DataType.ExtensionObject,
            arrayType: VariantArrayType.Array,
            value: namespace.getDefaultRolePermissions() ?? [],
          }),
      },
      true,
    );
  }
}
