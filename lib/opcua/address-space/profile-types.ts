/**
 * An object type for each device profile, a subtype of LoRaWANDeviceType in the gateway's own namespace: a SCADA
 * template is made for the type once and fits all devices of the profile. It declares what the profile names and what
 * its devices have shown so far, all of it as optional, because no device need send everything.
 */
import type { BaseNode, UAObject, UAObjectType, UAVariable } from 'node-opcua';
import {
  type DeviceProfile,
  type DeviceProfileId,
  type MetricDataType,
  type MetricKey,
  meaningOf,
  type Unit,
  unitId,
} from '../../model';
import { engineeringUnits, MODEL_CHANGES } from './metric-semantics';
import type { NodeFactory } from './node-factory';
import { addProperty, retype } from './properties';
import type { Work } from './slices';

interface Declaration {
  readonly variable: UAVariable;
  name: string;
  /** undefined = not known yet, `mixed` = devices of the profile disagree. */
  dataType: MetricDataType | 'mixed' | undefined;
  /** The unit shown. */
  unit: Unit | undefined;
}

interface ProfileNodes {
  readonly type: UAObjectType;
  readonly measurements: UAObject;
  readonly declarations: Map<string, Declaration>;
  profile: DeviceProfile;
}

const idOf = (profileId: DeviceProfileId): string => `profile/${profileId}`;

export class ProfileTypes {
  readonly #factory: NodeFactory;
  readonly #schedule: (work: Work) => void;
  readonly #types = new Map<DeviceProfileId, ProfileNodes>();
  /** Verbs of changes that clients are not told of yet. */
  readonly #changes = new Map<BaseNode, number>();

  /** @param schedule does work soon, together with other work */
  constructor(factory: NodeFactory, schedule: (work: Work) => void) {
    this.#factory = factory;
    this.#schedule = schedule;
  }

  /** The type of devices of a profile; that of all devices where the profile is not known. */
  typeFor(profile: DeviceProfile | undefined): UAObjectType {
    return profile === undefined ? this.#factory.types.device : this.#nodesOf(profile).type;
  }

  /** Makes and renames types, and looks up units again, as the profiles say. */
  *follow(profiles: ReadonlyMap<DeviceProfileId, DeviceProfile>): Generator<void> {
    for (const profile of profiles.values()) {
      this.#nodesOf(profile);
      yield;
    }
  }

  /**
   * Deletes the types of profiles that are gone.
   * @param used profiles of devices that have nodes
   */
  removeUnused(
    profiles: ReadonlyMap<DeviceProfileId, DeviceProfile>,
    used: ReadonlySet<DeviceProfileId | undefined>,
  ): void {
    for (const [id, { type, declarations }] of this.#types) {
      if (profiles.has(id) || used.has(id)) continue;
      this.#types.delete(id);
      this.#changes.delete(type);
      for (const { variable } of declarations.values()) this.#changes.delete(variable);
      this.#factory.announceChange(type, MODEL_CHANGES.nodeDeleted);
      this.#factory.addressSpace.deleteNode(type);
    }
  }

  /** Makes a device an instance of the type of another profile. */
  change(device: UAObject, profile: DeviceProfile | undefined): void {
    retype(device, this.typeFor(profile).nodeId);
    this.#changed(device, MODEL_CHANGES.referenceAdded | MODEL_CHANGES.referenceDeleted);
  }

  /** Declares a metric that a device of the profile has. */
  declare(profile: DeviceProfile | undefined, key: string, name: string, dataType: MetricDataType | undefined): void {
    if (profile === undefined) return;
    const nodes = this.#nodesOf(profile);
    const known = nodes.declarations.get(key);
    if (known === undefined) {
      this.#add(nodes, key, name, dataType);
      return;
    }
    if (dataType === undefined || known.dataType === dataType || known.dataType === 'mixed') return;
    known.dataType = known.dataType === undefined ? dataType : 'mixed';
    this.#factory.writer.setDataType(known.variable, known.dataType === 'mixed' ? undefined : dataType);
    this.#changed(known.variable, MODEL_CHANGES.dataTypeChanged);
    this.#showUnit(nodes, key, known);
  }

  #nodesOf(profile: DeviceProfile): ProfileNodes {
    const known = this.#types.get(profile.id);
    if (known !== undefined) {
      if (known.profile !== profile) this.#follow(known, profile);
      return known;
    }
    const factory = this.#factory;
    const id = idOf(profile.id);
    const { gateway, model } = factory.namespaces;
    const type = gateway.addObjectType({
      nodeId: `s=${id}`,
      browseName: profile.id,
      displayName: factory.text(profile.name || profile.id),
      description: factory.text('Devices of a device profile of ChirpStack'),
      subtypeOf: factory.types.device,
    });
    const measurements = gateway.addObject({
      nodeId: `s=${id}/metric`,
      browseName: { name: 'Measurements', namespaceIndex: model.index },
      componentOf: type,
      typeDefinition: factory.types.measurements,
      modellingRule: 'Mandatory',
    });
    const nodes: ProfileNodes = { type, measurements, declarations: new Map(), profile };
    this.#types.set(profile.id, nodes);
    this.#changed(type, MODEL_CHANGES.nodeAdded);
    this.#addNamed(nodes);
    return nodes;
  }

  #follow(nodes: ProfileNodes, profile: DeviceProfile): void {
    const { name } = nodes.profile;
    nodes.profile = profile;
    if (name !== profile.name) nodes.type.setDisplayName(this.#factory.text(profile.name || profile.id));
    this.#addNamed(nodes);
    for (const [key, declaration] of nodes.declarations) this.#showUnit(nodes, key, declaration);
  }

  /** Measurements that the profile names, whether a device showed them or not. */
  #addNamed(nodes: ProfileNodes): void {
    for (const [key, measurement] of Object.entries(nodes.profile.measurements)) {
      const known = nodes.declarations.get(key);
      const name = measurement.name || key;
      if (known === undefined) this.#add(nodes, key, name, undefined);
      else if (known.name !== name) {
        known.name = name;
        known.variable.setDisplayName(this.#factory.text(name));
      }
    }
  }

  #add(nodes: ProfileNodes, key: string, name: string, dataType: MetricDataType | undefined): void {
    const { gateway } = this.#factory.namespaces;
    const variable = gateway.addVariable({
      nodeId: `s=${idOf(nodes.profile.id)}/metric/${key}`,
      browseName: { name: key, namespaceIndex: gateway.index },
      displayName: this.#factory.text(name),
      description: this.#factory.text(name === key ? key : `${name} (${key})`),
      componentOf: nodes.measurements,
      // Whether a metric has a unit, a range or states may differ from device to device: each may be of a subtype.
      typeDefinition: 'BaseDataVariableType',
      modellingRule: 'Optional',
      ...this.#factory.attributes(dataType),
    });
    const declaration: Declaration = { variable, name, dataType, unit: undefined };
    nodes.declarations.set(key, declaration);
    // What comes with a new type is no change of its own.
    if (!this.#isNew(nodes.type)) this.#changed(variable, MODEL_CHANGES.nodeAdded);
    this.#showUnit(nodes, key, declaration);
  }

  /** The unit as the profile has it: what a tag of a device says of itself is not in it. */
  #showUnit({ profile }: ProfileNodes, key: string, declaration: Declaration): void {
    const { variable, name } = declaration;
    const dataType = declaration.dataType === 'mixed' ? undefined : declaration.dataType;
    const { unit } = meaningOf({ key: key as MetricKey, name, dataType }, { profile });
    if (
      unit?.symbol === declaration.unit?.symbol &&
      (unit && unitId(unit)) === (declaration.unit && unitId(declaration.unit))
    )
      return;
    declaration.unit = unit;
    const { library, namespaces, addressSpace } = this.#factory;
    const known = variable.getPropertyByName('EngineeringUnits');
    if (unit === undefined) {
      if (known !== null) addressSpace.deleteNode(known);
      this.#changed(variable, MODEL_CHANGES.referenceDeleted);
      return;
    }
    const property =
      known ??
      addProperty(library, namespaces.gateway, variable, {
        id: `s=${idOf(profile.id)}/property/${key}/EngineeringUnits`,
        name: 'EngineeringUnits',
        description: 'Unit of the value, where the device says nothing else',
        dataType: 'EUInformation',
        modellingRule: 'Optional',
      });
    if (known === null && !this.#isNew(variable)) this.#changed(variable, MODEL_CHANGES.referenceAdded);
    property.setValueFromSource({
      dataType: library.DataType.ExtensionObject,
      value: engineeringUnits(library, unit),
    });
  }

  /** Whether clients will be told that a node was added. */
  #isNew(node: BaseNode): boolean {
    return ((this.#changes.get(node) ?? 0) & MODEL_CHANGES.nodeAdded) !== 0;
  }

  #changed(node: BaseNode, verb: number): void {
    if (this.#changes.size === 0) this.#schedule(this.#tell());
    this.#changes.set(node, (this.#changes.get(node) ?? 0) | verb);
  }

  *#tell(): Generator<void> {
    const changes = [...this.#changes];
    this.#changes.clear();
    if (changes.length > 0) this.#factory.announceChanges(changes);
    yield;
  }
}
