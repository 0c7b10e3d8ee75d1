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
  readonly type: string;
  readonly hooks?: { readonly onAddConnectionCredentials?: unknown };
}

const ID = 'lorua-dashboard-user';
const TYPE = 'node-red-dashboard-2';

interface PluginApi {
  registerPlugin(id: string, definition: object): void;
  getByType(type: string): readonly (DashboardPlugin & { readonly id: string })[];
}

const init = (RED: NodeAPI): void => {
  // The published type does not know plugins yet (Node-RED 1.3+).
  const { plugins } = RED as NodeAPI & { plugins: PluginApi };

  /** In the palette another package may know users: then they are its business. */
  const othersKnowUsers = (): boolean =>
    plugins
      .getByType(TYPE)
      .some(({ id, hooks }) => id !== ID && typeof hooks?.onAddConnectionCredentials === 'function');

  plugins.registerPlugin(ID, {
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
  });
};

export = init;
