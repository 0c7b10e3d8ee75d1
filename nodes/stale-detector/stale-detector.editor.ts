type ThresholdRuleProperties = {
  /** DevEUI or `*` */
  device: string;
  /** metric key or `*` */
  metric: string;
  seconds: string;
};

interface StaleDetectorProperties {
  name: string;
  database: string;
  intervals: string;
  staleAfter: string;
  deadFactor: string;
  /** A text is `${NAME}` or JSON. */
  rules: ThresholdRuleProperties[] | string;
}

const THRESHOLDS = [{ field: 'seconds', width: '14%', least: 1, most: 31_536_000 }];

RED.nodes.registerType<StaleDetectorProperties & import('node-red').EditorNodeProperties>('stale-detector', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    database: { value: '', type: 'gateway-database', required: true },
    intervals: { value: '3', validate: numberRule(1, 100) },
    staleAfter: { value: '', validate: numberRule(1, 31536000) },
    deadFactor: { value: '10', validate: numberRule(1, 1000) },
    rules: { value: [], validate: rowsRule(THRESHOLDS) },
  },
  inputs: 1,
  outputs: 1,
  icon: 'stale-detector.svg',
  paletteLabel() {
    return this._('stale-detector.palette');
  },
  inputLabels() {
    return this._('stale-detector.input.readings');
  },
  outputLabels() {
    return this._('stale-detector.output.readings');
  },
  label() {
    return this.name || this._('stale-detector.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const text = (key: string): string => this._(`stale-detector.label.${key}`);
    fillRuleList($('#node-input-rules-container'), THRESHOLDS, text, this.rules);
  },
  oneditsave() {
    this.rules = readRuleList($('#node-input-rules-container'), ['device', 'metric', 'seconds'], this.rules);
  },
});
