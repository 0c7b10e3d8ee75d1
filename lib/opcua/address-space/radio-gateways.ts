/** Objects/LoRaWAN/Gateways: the LoRa gateways that ChirpStack knows. */
import type { UAObject } from 'node-opcua';
import {
  DEVICE_HEALTH_STATES,
  type DeviceHealthState,
  GATEWAY_STATES,
  type GatewayEui,
  type GatewayState,
  type RadioGateway,
} from '../../model';
import type { Members } from './device-parts';
import { DEVICE_HEALTH, RADIO_GATEWAY } from './device-types';
import type { LiveVariable } from './live-variable';
import type { NodeFactory } from './node-factory';

interface GatewayNodes {
  readonly object: UAObject;
  readonly members: Members<keyof typeof RADIO_GATEWAY>;
  readonly health: LiveVariable;
  shown: RadioGateway | undefined;
  /** Monotonic instant of the removal, ms; undefined while the gateway exists. */
  removedAt: number | undefined;
}

/** Identifier of the folder, and the beginning of all identifiers below it. */
const FOLDER = 'lora-gateway';

/** By NE 107; of a gateway that never was there nothing is known. */
const HEALTH: Readonly<Record<GatewayState, DeviceHealthState | undefined>> = {
  'never-seen': undefined,
  online: 'NORMAL',
  offline: 'FAILURE',
};

export class RadioGateways {
  readonly #factory: NodeFactory;
  readonly #folder: UAObject;
  readonly #gateways = new Map<GatewayEui, GatewayNodes>();

  constructor(factory: NodeFactory, network: UAObject) {
    this.#factory = factory;
    this.#folder = factory.part(network, FOLDER, 'Gateways', 'FolderType');
    factory.addNodeVersion(this.#folder, `${FOLDER}/node-version`);
  }

  get hasRemoved(): boolean {
    for (const { removedAt } of this.#gateways.values()) if (removedAt !== undefined) return true;
    return false;
  }

  /** Shows what the inventory knows of gateways. */
  *follow(gateways: ReadonlyMap<GatewayEui, RadioGateway>): Generator<void> {
    for (const gateway of gateways.values()) {
      const nodes = this.#gateways.get(gateway.gatewayId) ?? this.#make(gateway);
      if (nodes.shown === gateway && nodes.removedAt === undefined) continue;
      this.#show(nodes, gateway);
      yield;
    }
  }

  /** Marks gateways that are gone: they stay, as BadOutOfService. */
  *removeMissing(gateways: ReadonlyMap<GatewayEui, RadioGateway>, instant: number): Generator<void> {
    for (const [id, nodes] of this.#gateways) {
      if (gateways.has(id) || nodes.removedAt !== undefined) continue;
      nodes.removedAt = instant;
      this.#setOutOfService(nodes, true);
      yield;
    }
  }

  /** Deletes what was removed at an instant or before, but nothing that a client still monitors. */
  *bury(until: number): Generator<void> {
    for (const [id, nodes] of this.#gateways) {
      if (
        nodes.removedAt === undefined ||
        nodes.removedAt > until ||
        variablesOf(nodes).some((live) => live.isMonitored)
      )
        continue;
      this.#gateways.delete(id);
      this.#factory.addressSpace.deleteNode(nodes.object);
      yield;
    }
  }

  #make({ gatewayId, name }: RadioGateway): GatewayNodes {
    const id = `${FOLDER}/${gatewayId}`;
    const object = this.#factory.object({
      id,
      browseName: gatewayId,
      displayName: name || gatewayId,
      type: this.#factory.types.radioGateway,
      parent: this.#folder,
      link: 'organizedBy',
    });
    const nodes: GatewayNodes = {
      object,
      members: this.#factory.members(object, id, RADIO_GATEWAY),
      health: this.#factory.member(object, `${id}/health`, DEVICE_HEALTH),
      shown: undefined,
      removedAt: undefined,
    };
    this.#gateways.set(gatewayId, nodes);
    return nodes;
  }

  #show(nodes: GatewayNodes, gateway: RadioGateway): void {
    const { members, health, object } = nodes;
    const now = this.#factory.now();
    const { gatewayId, name, description, state, lastSeenAt, location } = gateway;
    if (nodes.shown !== undefined && nodes.shown.name !== name)
      object.setDisplayName(this.#factory.text(name || gatewayId));
    nodes.shown = gateway;
    nodes.removedAt = undefined;
    this.#setOutOfService(nodes, false);
    members.gatewayId.update(gatewayId, now, now);
    members.name.update(name, now, now);
    members.description.update(description, now, now);
    members.state.update(GATEWAY_STATES.indexOf(state), now, now);
    const judged = HEALTH[state];
    if (judged === undefined) health.setStatus('BadWaitingForInitialData', now, now);
    else health.update(DEVICE_HEALTH_STATES.indexOf(judged), now, now);
    this.#seen(nodes, lastSeenAt);
    for (const key of ['latitude', 'longitude', 'altitude'] as const) {
      const value = location?.[key];
      // Nobody gave a place, or it was taken away: the last one is not the place any more.
      if (value === undefined || !Number.isFinite(value)) members[key].setStatus('BadNoData', now, now);
      else members[key].update(value, now, now);
    }
  }

  #seen({ members: { lastSeen } }: GatewayNodes, time: number | undefined): void {
    if (time === undefined || time <= lastSeen.time) return;
    const instant = new Date(time);
    lastSeen.set(instant, 'Good', instant, this.#factory.now());
  }

  #setOutOfService(nodes: GatewayNodes, outOfService: boolean): void {
    const now = this.#factory.now();
    // What the gateway is stays true.
    const { gatewayId, name, description } = nodes.members;
    for (const live of variablesOf(nodes))
      if (live !== gatewayId && live !== name && live !== description) live.setOutOfService(outOfService, now);
  }
}

function variablesOf({ members, health }: GatewayNodes): readonly LiveVariable[] {
  return [...Object.values(members), health];
}
