/** Walks the address space of a server with a real client, and holds it against the published types. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import {
  type AddressSpace,
  AddressSpace as AddressSpaces,
  AttributeIds,
  type BaseNode,
  BrowseDirection,
  type ClientSession,
  type DataValue,
  generateAddressSpace,
  type NodeId,
  nodesets,
  type ReferenceDescription,
  type UAObject,
  type UAVariable,
} from 'node-opcua';
import { repositoryRoot } from './paths';

export const NODE_SET = join(repositoryRoot, 'nodesets', 'Lorua.Model.NodeSet2.xml');
const PER_CALL = 500;
const ATTRIBUTES = [
  'DataType',
  'ValueRank',
  'AccessLevel',
  'UserAccessLevel',
  'MinimumSamplingInterval',
  'Description',
  'Value',
] as const;
export type WalkedAttribute = (typeof ATTRIBUTES)[number];

export interface WalkedNode {
  readonly id: string;
  readonly reference: ReferenceDescription;
  readonly children: WalkedNode[];
  /** Only of variables. */
  readonly attributes: Partial<Record<WalkedAttribute, DataValue>>;
}

/**
 * All nodes below some, with what their variables show.
 * @param isWanted whether to look at a node and what is below it
 */
export async function walk(
  session: ClientSession,
  roots: readonly string[],
  isWanted: (id: string) => boolean = () => true,
): Promise<WalkedNode[]> {
  const all: WalkedNode[] = [];
  const seen = new Set(roots);
  let level: { id: string; children: WalkedNode[] }[] = roots.map((id) => ({ id, children: [] }));
  while (level.length > 0) {
    const next: WalkedNode[] = [];
    for (let from = 0; from < level.length; from += PER_CALL) {
      const part = level.slice(from, from + PER_CALL);
      const results = await session.browse(
        part.map(({ id }) => ({
          nodeId: id,
          browseDirection: BrowseDirection.Forward,
          referenceTypeId: 'HierarchicalReferences',
          includeSubtypes: true,
          resultMask: 63,
        })),
      );
      for (const [index, result] of results.entries()) {
        assert.ok(result.statusCode.isGood(), part[index]?.id);
        let references = result.references ?? [];
        let point = result.continuationPoint;
        while (point && point.length > 0) {
          const more = await session.browseNext(point, false);
          references = [...references, ...(more.references ?? [])];
          point = more.continuationPoint;
        }
        for (const reference of references) {
          const id = reference.nodeId.toString();
          if (seen.has(id) || !isWanted(id)) continue;
          seen.add(id);
          const node: WalkedNode = { id, reference, children: [], attributes: {} };
          part[index]?.children.push(node);
          next.push(node);
        }
      }
    }
    all.push(...next);
    level = next;
  }
  const variables = all.filter(({ reference }) => reference.nodeClass.valueOf() === 2);
  for (let from = 0; from < variables.length; from += PER_CALL) {
    const part = variables.slice(from, from + PER_CALL);
    const values = await session.read(
      part.flatMap(({ id }) => ATTRIBUTES.map((name) => ({ nodeId: id, attributeId: AttributeIds[name] }))),
    );
    for (const [index, value] of values.entries()) {
      const name = ATTRIBUTES[index % ATTRIBUTES.length];
      const node = part[Math.floor(index / ATTRIBUTES.length)];
      if (name !== undefined && node !== undefined) node.attributes[name] = value;
    }
  }
  return all;
}

/** The published types in an address space that has nothing of the gateway but its file. */
export async function loadNodeSet(): Promise<AddressSpace> {
  const addressSpace = AddressSpaces.create();
  addressSpace.registerNamespace('urn:another:server');
  await generateAddressSpace(addressSpace, [nodesets.standard, nodesets.di, NODE_SET]);
  return addressSpace;
}

type Declaration = UAObject | UAVariable;

/** Holds instances of a server against types of another address space. Namespaces are compared by their URIs. */
export class TypeCheck {
  readonly #types: AddressSpace;
  readonly #uris: readonly string[];
  /** Types that the server has besides, with the published type that each is of. */
  readonly #aliases: ReadonlyMap<string, string>;
  /** Members that were held against their declaration. */
  checked = 0;

  /**
   * @param uris NamespaceArray of the server
   * @param aliases node id of a type of the server → node id of its supertype
   */
  constructor(types: AddressSpace, uris: readonly string[], aliases: ReadonlyMap<string, string> = new Map()) {
    this.#types = types;
    this.#uris = uris;
    this.#aliases = aliases;
  }

  /** Asserts that a node and all below it are what their types promise. */
  check(node: WalkedNode): void {
    const definition = node.reference.typeDefinition.toString();
    const type = this.#typeOf(definition);
    if (type !== undefined) {
      for (const declaration of mandatoryOf(type)) this.#member(node, declaration);
    }
    for (const child of node.children) this.check(child);
  }

  #typeOf(id: string): BaseNode | undefined {
    const known = this.#aliases.get(id) ?? id;
    return this.#types.findNode(this.#translated(known)) ?? undefined;
  }

  #translated(id: string): string {
    const { index, rest } = /^ns=(?<index>\d+);(?<rest>.*)$/s.exec(id)?.groups ?? {};
    const uri = this.#uris[Number(index)] ?? '';
    const namespace = uri === this.#uris[1] ? 1 : this.#types.getNamespaceIndex(uri);
    return `ns=${namespace < 0 ? 99 : namespace};${rest}`;
  }

  #member(owner: WalkedNode, declaration: Declaration): void {
    const { name, namespaceIndex } = declaration.browseName;
    const uri = this.#types.getNamespaceUri(namespaceIndex);
    const where = `${owner.id} lacks ${uri} ${name}`;
    const member = owner.children.find(
      ({ reference: { browseName } }) => browseName.name === name && this.#uris[browseName.namespaceIndex] === uri,
    );
    assert.ok(member, where);
    this.checked++;
    assert.equal(member.reference.nodeClass.valueOf(), declaration.nodeClass.valueOf(), where);
    const type = this.#typeOf(member.reference.typeDefinition.toString());
    assert.ok(type !== undefined && isKindOf(type, declaration.typeDefinitionObj), `${member.id}: type definition`);
    if ('dataType' in declaration) {
      const shown = member.attributes.DataType?.value.value as NodeId;
      const dataType = this.#types.findNode(this.#translated(shown.toString()));
      const promised = this.#types.findNode(declaration.dataType);
      assert.ok(dataType !== null && promised !== null && isKindOf(dataType, promised), `${member.id}: data type`);
      assert.equal(member.attributes.ValueRank?.value.value, declaration.valueRank, `${member.id}: value rank`);
    }
    // What the declaration has besides what its type promises.
    for (const part of membersOf(declaration)) if (isMandatory(part)) this.#member(member, part);
  }
}

function isMandatory(node: BaseNode): boolean {
  return 'modellingRule' in node && node.modellingRule === 'Mandatory';
}

function membersOf(node: BaseNode): Declaration[] {
  return [...node.findReferencesExAsObject('HasComponent'), ...node.findReferencesExAsObject('HasProperty')].filter(
    (child): child is Declaration => child.nodeClass.valueOf() === 1 || child.nodeClass.valueOf() === 2,
  );
}

/** Own members, those of supertypes and of interfaces; the nearest declaration of a name counts. */
function mandatoryOf(type: BaseNode): Declaration[] {
  const found = new Map<string, Declaration>();
  for (let at: BaseNode | undefined = type; at !== undefined; at = supertypeOf(at))
    for (const source of [at, ...at.findReferencesExAsObject('HasInterface')])
      for (const member of membersOf(source)) {
        const name = member.browseName.toString();
        if (isMandatory(member) && !found.has(name)) found.set(name, member);
      }
  return [...found.values()];
}

function supertypeOf(type: BaseNode): BaseNode | undefined {
  return type.findReferencesExAsObject('HasSubtype', BrowseDirection.Inverse)[0];
}

function isKindOf(type: BaseNode, wanted: BaseNode): boolean {
  for (let at: BaseNode | undefined = type; at !== undefined; at = supertypeOf(at))
    if (at.nodeId.toString() === wanted.nodeId.toString()) return true;
  return false;
}

/** Types of the server that are not published: each with its supertype. */
export async function subtypesOf(session: ClientSession, typeId: string): Promise<Map<string, string>> {
  const { references } = await session.browse({
    nodeId: typeId,
    browseDirection: BrowseDirection.Forward,
    referenceTypeId: 'HasSubtype',
    includeSubtypes: true,
    resultMask: 63,
  });
  return new Map((references ?? []).map(({ nodeId }) => [nodeId.toString(), typeId]));
}
