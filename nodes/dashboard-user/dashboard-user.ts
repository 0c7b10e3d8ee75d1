/**
 * A plugin for Dashboard 2: `msg._client.user` is who logged in, not who a browser says it is. Everything else in
 * `_client` that a browser sends would reach the flow as it is, and an audit trail must not rest on that.
 */
import type { NodeAPI } from 'node-red';

/** What of a Socket.IO socket is used: the standalone program notes the user there after checking the password. */
interface Connection {
  readonly data?: { readonly user?: unknown };
}

interface DashboardMessage {
  _client?: Record<string, unknown>;
}

interface DashboardPlugin {
  readonly id?: string;
  readonly hooks?: { readonly onAddConnectionCredentials?: unknown };
}

const ID = 'lorua-dashboard-user';
const TYPE = 'node-red-dashboard-2';

const init = (RED: NodeAPI): void => {
  /** In the palette another package may know users: then they are its business. */
  const othersKnowUsers = (): boolean =>
    (RED.plugins.getByType(TYPE) as readonly DashboardPlugin[]).some(
      ({ id, hooks }) => id !== ID && typeof hooks?.onAddConnectionCredentials === 'function',
    );

  const plugin: DashboardPlugin & { type: string } = {
    type: TYPE,
    hooks: {
      onAddConnectionCredentials(connection: Connection, message: DashboardMessage): DashboardMessage {
        const name = connection.data?.user;
        const client = { ...message._client };
        if (typeof name === 'string') client.user = { userId: name, username: name };
        else if (!othersKnowUsers()) delete client.user;
        message._client = client;
        return message;
      },
    },
  };
  RED.plugins.registerPlugin(ID, plugin);
};

export = init;
