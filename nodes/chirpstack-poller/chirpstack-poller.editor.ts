interface PollerProperties {
  name: string;
  connection: string;
  database: string;
  pollInterval: string;
  streamEvents: boolean | string;
  pollMetrics: boolean | string;
  maximumStreams: string;
}

RED.nodes.registerType<PollerProperties & import('node-red').EditorNodeProperties>('chirpstack-poller', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    connection: { value: '', type: 'chirpstack-connection', required: true },
    database: { value: '', type: 'gateway-database', required: true },
    pollInterval: { value: '60', validate: numberRule(0, 86400) },
    streamEvents: { value: true, validate: switchRule() },
    pollMetrics: { value: false, validate: switchRule() },
    maximumStreams: { value: '1000', validate: numberRule(1, 10000) },
  },
  inputs: 1,
  outputs: 3,
  icon: 'chirpstack-poller.svg',
  paletteLabel() {
    return this._('chirpstack-poller.palette');
  },
  inputLabels() {
    return this._('chirpstack-poller.input.trigger');
  },
  outputLabels(index) {
    return this._(`chirpstack-poller.output.${['readings', 'deviceEvents', 'health'][index]}`);
  },
  label() {
    return this.name || this._('chirpstack-poller.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    showSwitch($('#node-input-streamEvents'), this.streamEvents, true);
    showSwitch($('#node-input-pollMetrics'), this.pollMetrics, false);
  },
});
