interface ConnectionProperties {
  name: string;
  url: string;
  tenantId: string;
  applicationIds: string;
  caFile: string;
  callTimeout: string;
}

RED.nodes.registerType<ConnectionProperties & import('node-red').EditorNodeProperties, { token: string }>(
  'chirpstack-connection',
  {
    category: 'config',
    defaults: {
      name: { value: '' },
      url: { value: 'http://localhost:8080', required: true, validate: addressRule() },
      tenantId: { value: '', validate: uuidsRule() },
      applicationIds: { value: '', validate: uuidsRule() },
      caFile: { value: '' },
      callTimeout: { value: '10', validate: numberRule(1, 120) },
    },
    credentials: { token: { type: 'password' } },
    paletteLabel() {
      return this._('chirpstack-connection.palette');
    },
    label() {
      return this.name || this.url;
    },
  },
);
