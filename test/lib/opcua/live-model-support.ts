/** A server with a source and a client that watches changes of the model. */
import { AttributeIds, BrowseDirection, EventFilter, type ReferenceDescription, TimestampsToReturn } from 'node-opcua';
import { GatewayServer } from '../../../lib/opcua';
import { ManualClock } from '../../support/manual-clock';
import { type Connected, connect, depsOf, settingsOf, subscribe, type TestSource } from './support';

export interface LiveModel {
  readonly clock: ManualClock;
  readonly server: GatewayServer;
  readonly client: Connected;
  /** Lets the server see what the source knows now. */
  changed(): Promise<void>;
  browse(nodeId: string, referenceTypeId?: string): Promise<ReferenceDescription[]>;
  /** Value of a node in the gateway's namespace, or the name of its status if there is none. */
  value(id: string): Promise<unknown>;
  /** Changes of the model from now on: node id and verb. */
  watchModel(): Promise<string[]>;
  close(): Promise<void>;
}

export async function liveModel(
  folder: string,
  source: TestSource,
  settings: Record<string, unknown> = {},
): Promise<LiveModel> {
  const clock = new ManualClock();
  const server = new GatewayServer(settingsOf(folder, settings), depsOf({ clock }));
  await server.start();
  server.attach(source);
  await server.settled();
  const client = await connect(server, folder);
  return {
    clock,
    server,
    client,
    async changed() {
      source.changed();
      await server.settled();
    },
    async browse(nodeId, referenceTypeId = 'HierarchicalReferences') {
      const { references } = await client.session.browse({
        nodeId,
        referenceTypeId,
        includeSubtypes: true,
        browseDirection: BrowseDirection.Forward,
        resultMask: 63,
      });
      return references ?? [];
    },
    async value(id) {
      const { statusCode, value } = await client.read(`ns=3;s=${id}`);
      return value.value === null ? statusCode.name : value.value;
    },
    async watchModel() {
      const subscription = await subscribe(client.session);
      const events = await subscription.monitor(
        { nodeId: 'i=2253', attributeId: AttributeIds.EventNotifier },
        {
          samplingInterval: 0,
          queueSize: 1_000,
          filter: new EventFilter({
            selectClauses: [
              { typeDefinitionId: 'i=2133', browsePath: [{ name: 'Changes' }], attributeId: AttributeIds.Value },
            ],
          }),
        },
        TimestampsToReturn.Both,
      );
      const changes: string[] = [];
      events.on('changed', (fields: unknown) => {
        for (const field of fields as { value: { affected: { toString(): string }; verb: number }[] | null }[])
          for (const { affected, verb } of field.value ?? []) changes.push(`${affected.toString()} ${verb}`);
      });
      return changes;
    },
    async close() {
      await client.close();
      await server.stop();
    },
  };
}
