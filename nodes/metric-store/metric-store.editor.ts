interface StoreProperties {
  name: string;
  database: string;
  sendRestored: boolean | string;
}

RED.nodes.registerType<StoreProperties & import('node-red').EditorNodeProperties>('metric-store', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    database: { value: '', type: 'gateway-database', required: true },
    sendRestored: { value: true, validate: switchRule() },
  },
  inputs: 1,
  outputs: 2,
  icon: 'metric-store.svg',
  paletteLabel() {
    return this._('metric-store.palette');
  },
  inputLabels() {
    return this._('metric-store.input.readings');
  },
  outputLabels(index) {
    return this._(`metric-store.output.${['readings', 'answers'][index]}`);
  },
  label() {
    return this.name || this._('metric-store.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    showSwitch($('#node-input-sendRestored'), this.sendRestored, true);
  },
});
