/** Connections to ChirpStack and inputs by MQTT below Objects/Gateway, by their ids: two may have the same name. */
import type { UAObject } from 'node-opcua';
import {
  CONNECTION_ERROR_KINDS,
  CONNECTION_STATES,
  type ConnectionErrors,
  type ConnectionHealth,
  type ConnectionReport,
  type MqttReport,
} from '../../model';
import type { Members } from './device-parts';
import { CONNECTION, MQTT, MQTT_STATES } from './gateway-types';
import { ERRORS } from './health-types';
import type { LiveVariable } from './live-variable';
import { dateOf, uint32, uint64, updateMembers } from './member-values';
import type { NodeFactory } from './node-factory';

/** A deploy takes something away and brings it back: it is gone when so many pictures of the whole lack it. */
const GONE_AFTER = 3;

interface Reported {
  readonly object: UAObject;
  readonly variables: readonly LiveVariable[];
  name: string;
  /** From how many pictures of the whole in a row it has been missing; `undefined` if it never was in one. */
  missing: number | undefined;
  isGone: boolean;
}

/** Objects that stand for what reports name, made as needed, out of service when they are gone. */
abstract class ReportedNodes<Nodes extends Reported> {
  protected readonly factory: NodeFactory;
  readonly #nodes = new Map<string, Nodes>();

  constructor(factory: NodeFactory) {
    this.factory = factory;
  }

  protected abstract make(id: string, name: string): Nodes;

  protected get present(): Nodes[] {
    return [...this.#nodes.values()].filter(({ isGone }) => !isGone);
  }

  protected nodesOf(id: string, name: string): Nodes {
    let nodes = this.#nodes.get(id);
    if (nodes === undefined) {
      nodes = this.make(id, name);
      this.#nodes.set(id, nodes);
    }
    if (nodes.name !== name) {
      nodes.name = name;
      nodes.object.setDisplayName(this.factory.text(name || id));
    }
    if (nodes.isGone) this.#setGone(nodes, false);
    return nodes;
  }

  /** What was taken out of the flow must not look connected for ever. */
  protected sawAll(ids: ReadonlySet<string>): void {
    for (const [id, nodes] of this.#nodes)
      if (ids.has(id)) nodes.missing = 0;
      else if (nodes.missing !== undefined && ++nodes.missing === GONE_AFTER) this.#setGone(nodes, true);
  }

  #setGone(nodes: Nodes, isGone: boolean): void {
    nodes.isGone = isGone;
    const now = this.factory.now();
    for (const variable of nodes.variables) variable.setOutOfService(isGone, now);
  }
}

interface Connection extends Reported {
  readonly members: Members<keyof typeof CONNECTION>;
  readonly errors: Members<keyof typeof ERRORS>;
  readonly recentErrors: Members<keyof typeof ERRORS>;
  health: ConnectionHealth | undefined;
}

export class ConnectionNodes extends ReportedNodes<Connection> {
  readonly #folder: UAObject;

  constructor(factory: NodeFactory, gateway: UAObject) {
    super(factory);
    this.#folder = factory.part(gateway, 'gateway/connection', 'Connections', 'FolderType');
    factory.addNodeVersion(this.#folder, 'gateway/node-version');
  }

  /** Of all connections that are part of the flow. */
  get healths(): ConnectionHealth[] {
    return this.present.flatMap(({ health }) => (health === undefined ? [] : [health]));
  }

  show({ id, name }: { readonly id: string; readonly name: string }, health: ConnectionHealth): void {
    const nodes = this.nodesOf(id, name);
    nodes.health = health;
    const now = this.factory.now();
    updateMembers(
      nodes.members,
      {
        state: CONNECTION_STATES.indexOf(health.state),
        since: new Date(health.since),
        reason: health.reason,
        cure: health.cure,
        lastSuccessfulPoll: dateOf(health.lastSuccessfulPoll),
        errorCount: uint32(health.errorCount),
        lastError: health.lastError ?? '',
        applications: uint32(health.applications),
        devices: uint32(health.devices),
        streamsOpen: uint32(health.streamsOpen),
        streamsWanted: uint32(health.streamsWanted),
        uplinks: uint64(health.uplinks),
      },
      now,
    );
    if (health.errors !== undefined) updateMembers(nodes.errors, errorValues(health.errors), now);
  }

  /** Shows all connections that there are. */
  showAll(reports: readonly ConnectionReport[]): void {
    const now = this.factory.now();
    for (const report of reports) {
      this.show(report, report.health);
      const nodes = this.nodesOf(report.id, report.name);
      updateMembers(nodes.recentErrors, errorValues(report.recentErrors), now);
      const recent = CONNECTION_ERROR_KINDS.reduce((sum, kind) => sum + (report.recentErrors[kind] ?? 0), 0);
      updateMembers(nodes.members, { recentErrorCount: uint32(recent) }, now);
    }
    this.sawAll(new Set(reports.map(({ id }) => id)));
  }

  protected override make(sourceId: string, name: string): Connection {
    const { types } = this.factory;
    // An id may be any text in a message; a slash in one must not look like a part of another.
    const id = `gateway/connection/${encodeURIComponent(sourceId)}`;
    const object = this.factory.object({
      id,
      browseName: sourceId,
      displayName: name || sourceId,
      type: types.connection,
      parent: this.#folder,
      link: 'organizedBy',
    });
    const errorsOf = (part: string, browseName: string): Members<keyof typeof ERRORS> =>
      this.factory.members(
        this.factory.part(object, `${id}/${part}`, browseName, types.errors),
        `${id}/${part}`,
        ERRORS,
      );
    const members = this.factory.members(object, id, CONNECTION);
    const errors = errorsOf('errors', 'Errors');
    const recentErrors = errorsOf('recentErrors', 'RecentErrors');
    return {
      object,
      members,
      errors,
      recentErrors,
      variables: [members, errors, recentErrors].flatMap((part) => Object.values(part)),
      name,
      health: undefined,
      missing: undefined,
      isGone: false,
    };
  }
}

interface MqttInput extends Reported {
  readonly members: Members<keyof typeof MQTT>;
  state: MqttReport['state'];
}

export class MqttNodes extends ReportedNodes<MqttInput> {
  readonly #folder: UAObject;

  constructor(factory: NodeFactory, gateway: UAObject) {
    super(factory);
    this.#folder = factory.part(gateway, 'gateway/mqtt', 'MqttInputs', 'FolderType');
    factory.addNodeVersion(this.#folder, 'gateway/mqtt-node-version');
  }

  /** Of all inputs that are part of the flow. */
  get states(): { readonly state: MqttReport['state'] }[] {
    return this.present;
  }

  /** Shows all inputs that there are. */
  showAll(reports: readonly MqttReport[]): void {
    const now = this.factory.now();
    for (const { id, name, state, since, lastEvent } of reports) {
      const nodes = this.nodesOf(id, name);
      nodes.state = state;
      updateMembers(
        nodes.members,
        { state: MQTT_STATES.indexOf(state), since: new Date(since), lastEvent: dateOf(lastEvent) },
        now,
      );
    }
    this.sawAll(new Set(reports.map(({ id }) => id)));
  }

  protected override make(sourceId: string, name: string): MqttInput {
    const id = `gateway/mqtt/${encodeURIComponent(sourceId)}`;
    const object = this.factory.object({
      id,
      browseName: sourceId,
      displayName: name || sourceId,
      type: this.factory.types.mqtt,
      parent: this.#folder,
      link: 'organizedBy',
    });
    const members = this.factory.members(object, id, MQTT);
    return {
      object,
      members,
      variables: Object.values(members),
      name,
      state: 'disconnected',
      missing: 0,
      isGone: false,
    };
  }
}

function errorValues(errors: ConnectionErrors): Readonly<Record<keyof typeof ERRORS, number>> {
  return Object.fromEntries(CONNECTION_ERROR_KINDS.map((kind) => [kind, uint32(errors[kind] ?? 0)])) as Record<
    keyof typeof ERRORS,
    number
  >;
}
