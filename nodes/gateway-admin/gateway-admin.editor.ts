interface AdminProperties {
  name: string;
  database: string;
}

RED.nodes.registerType<AdminProperties & import('node-red').EditorNodeProperties>('gateway-admin', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    database: { value: '', type: 'gateway-database', required: true },
  },
  inputs: 1,
  outputs: 1,
  icon: 'gateway-admin.svg',
  paletteLabel() {
    return this._('gateway-admin.palette');
  },
  inputLabels() {
    return this._('gateway-admin.input.requests');
  },
  outputLabels() {
    return this._('gateway-admin.output.answers');
  },
  label() {
    return this.name || this._('gateway-admin.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
});
