interface EventsProperties {
  name: string;
  /** May be empty. */
  database: string;
}

RED.nodes.registerType<EventsProperties & import('node-red').EditorNodeProperties>('chirpstack-events', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    database: { value: '', type: 'gateway-database', required: false },
  },
  inputs: 1,
  outputs: 2,
  icon: 'chirpstack-events.svg',
  paletteLabel() {
    return this._('chirpstack-events.palette');
  },
  inputLabels() {
    return this._('chirpstack-events.input.events');
  },
  outputLabels(index) {
    return this._(`chirpstack-events.output.${['readings', 'deviceEvents'][index]}`);
  },
  label() {
    return this.name || this._('chirpstack-events.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
});
