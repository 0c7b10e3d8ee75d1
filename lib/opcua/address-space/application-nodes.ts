/** Folders of applications below Objects/LoRaWAN. */
import type { UAObject } from 'node-opcua';
import type { Application, ApplicationId } from '../../model';
import type { NodeFactory } from './node-factory';

/** Id of the folder for devices that no inventory knows. */
const OTHER = 'other';

export class ApplicationNodes {
  readonly #factory: NodeFactory;
  readonly #root: UAObject;
  readonly #folders = new Map<string, { readonly object: UAObject; name: string }>();

  constructor(factory: NodeFactory) {
    this.#factory = factory;
    this.#root = factory.object({
      id: 'lorawan',
      browseName: 'LoRaWAN',
      nameOf: 'model',
      displayName: 'LoRaWAN',
      description: 'Applications, devices and LoRa gateways of ChirpStack',
      type: factory.types.network,
      parent: factory.addressSpace.rootFolder.objects,
      link: 'organizedBy',
    });
    factory.addNodeVersion(this.#root, 'lorawan/node-version');
  }

  /** The object that everything of LoRaWAN is below. */
  get network(): UAObject {
    return this.#root;
  }

  /** The folder of an application, made or renamed as needed. */
  folder(application: Pick<Application, 'id' | 'name'>): UAObject {
    return this.#folder(application.id, application.name || application.id);
  }

  /** The folder for devices that no inventory knows. */
  others(): UAObject {
    return this.#folder(OTHER, 'Other devices');
  }

  /** Deletes the folders of applications that are gone, unless devices are in them. */
  removeUnused(applications: ReadonlyMap<ApplicationId, Application>, used: ReadonlySet<UAObject>): void {
    const known = new Set<string>(applications.keys());
    for (const [id, { object }] of this.#folders) {
      if (id === OTHER || known.has(id) || used.has(object)) continue;
      this.#factory.addressSpace.deleteNode(object);
      this.#folders.delete(id);
    }
  }

  #folder(id: string, name: string): UAObject {
    const known = this.#folders.get(id);
    if (known !== undefined) {
      if (known.name !== name) {
        known.name = name;
        known.object.setDisplayName(this.#factory.text(name));
      }
      return known.object;
    }
    const object = this.#factory.object({
      id: `application/${id}`,
      browseName: id,
      displayName: name,
      type: this.#factory.types.application,
      parent: this.#root,
      link: 'organizedBy',
    });
    this.#factory.addNodeVersion(object, `application/${id}/node-version`);
    this.#folders.set(id, { object, name });
    return object;
  }
}
