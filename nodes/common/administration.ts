import type { NodeMessage } from 'node-red';
import { Administration } from '../../lib/admin';
import { type Logger, systemClock } from '../../lib/model';
import type { DatabaseService } from './services';

/** The use cases of a gateway, for a node that answers questions. */
export function administrationOf(service: DatabaseService, logger: Logger): Administration {
  return new Administration({
    store: service.store,
    retention: service.settings,
    folders: service.folders,
    connections: () => [...service.connections.values()],
    health: () => service.health.current(),
    freshness: () => service.freshness?.().values ?? { fresh: 0, stale: 0, dead: 0 },
    ownMeanings: service.ownMeanings,
    opcua: () => service.opcua,
    administrators: () => service.administrators,
    users: service.users,
    commands: () => service.commands.current,
    clock: systemClock,
    logger,
  });
}

/** Who is logged in at the dashboard that a message comes from; our dashboard plugin vouches for it. */
export function userOf(message: NodeMessage): string | undefined {
  const user = (message as { _client?: { user?: { userId?: unknown } } })._client?.user?.userId;
  return typeof user === 'string' ? user : undefined;
}
