interface ServerProperties {
  name: string;
  database: string;
  port: string;
  host: string;
  advertisedHosts: string;
  endpoints: string;
  allowAnonymous: boolean | string;
  trustAllClients: boolean | string;
  pkiFolder: string;
  applicationName: string;
  maxSessions: string;
}

RED.nodes.registerType<ServerProperties & import('node-red').EditorNodeProperties, { user: string; password: string }>(
  'opcua-gateway-server',
  {
    category: 'lorua',
    color: '#C7D8C6',
    defaults: {
      name: { value: '' },
      database: { value: '', type: 'gateway-database', required: true },
      port: { value: '4840', validate: numberRule(0, 65535) },
      host: { value: '' },
      advertisedHosts: { value: '' },
      endpoints: { value: '', validate: endpointsRule() },
      allowAnonymous: { value: false },
      trustAllClients: { value: false },
      pkiFolder: { value: 'pki' },
      applicationName: { value: 'Lorua' },
      maxSessions: { value: '50', validate: numberRule(1, 1000) },
    },
    credentials: { user: { type: 'text' }, password: { type: 'password' } },
    inputs: 1,
    outputs: 1,
    icon: 'opcua-gateway-server.svg',
    paletteLabel() {
      return this._('opcua-gateway-server.palette');
    },
    inputLabels() {
      return this._('opcua-gateway-server.input.readings');
    },
    outputLabels() {
      return this._('opcua-gateway-server.output.clientEvents');
    },
    label() {
      return this.name || this._('opcua-gateway-server.palette');
    },
    labelStyle() {
      return this.name ? 'node_label_italic' : '';
    },
  },
);
