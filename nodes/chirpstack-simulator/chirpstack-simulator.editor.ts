interface SimulatorProperties {
  name: string;
  enabled: boolean | string;
  devices: string;
  period: string;
  port: string;
  seed: string;
}

RED.nodes.registerType<SimulatorProperties & import('node-red').EditorNodeProperties>('chirpstack-simulator', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    enabled: { value: true, validate: switchRule() },
    devices: { value: '30', validate: numberRule(1, 5000) },
    period: { value: '10', validate: numberRule(0.1, 86400) },
    port: { value: '8090', validate: numberRule(0, 65535) },
    seed: { value: '1', validate: numberRule(0, 4294967295) },
  },
  inputs: 0,
  outputs: 1,
  icon: 'chirpstack-simulator.svg',
  paletteLabel() {
    return this._('chirpstack-simulator.palette');
  },
  outputLabels() {
    return this._('chirpstack-simulator.output.address');
  },
  label() {
    return this.name || this._('chirpstack-simulator.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    showSwitch($('#node-input-enabled'), this.enabled, true);
  },
});
