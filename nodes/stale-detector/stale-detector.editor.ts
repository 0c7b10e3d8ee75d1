interface ThresholdRuleProperties {
  /** DevEUI or `*` */
  device: string;
  /** metric key or `*` */
  metric: string;
  seconds: string;
}

interface StaleDetectorProperties {
  name: string;
  database: string;
  intervals: string;
  staleAfter: string;
  deadFactor: string;
  rules: ThresholdRuleProperties[];
}

RED.nodes.registerType<StaleDetectorProperties & import('node-red').EditorNodeProperties>('stale-detector', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    database: { value: '', type: 'gateway-database', required: true },
    intervals: { value: '3', validate: numberRule(1, 100) },
    staleAfter: { value: '', validate: numberRule(1, 31536000) },
    deadFactor: { value: '10', validate: numberRule(1, 1000) },
    rules: { value: [] },
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
    const field = (name: keyof ThresholdRuleProperties, value: string, width: string): JQuery =>
      $('<input/>', { type: 'text', 'data-field': name, placeholder: text(name), 'aria-label': text(name) })
        .css({ width, marginRight: '6px' })
        .val(value);
    $('#node-input-rules-container')
      .css({ minHeight: '120px' })
      .editableList({
        addItem(container, _index, rule: Partial<ThresholdRuleProperties>) {
          container.append(
            field('device', rule.device ?? '*', '42%'),
            field('metric', rule.metric ?? '*', '34%'),
            field('seconds', rule.seconds ?? '', '14%'),
          );
        },
        removable: true,
        sortable: true,
      });
    for (const rule of this.rules ?? []) $('#node-input-rules-container').editableList('addItem', rule);
  },
  oneditsave() {
    this.rules = $('#node-input-rules-container')
      .editableList('items')
      .toArray()
      .map((item: HTMLElement | JQuery) => {
        const value = (name: string): string => String($(item).find(`[data-field=${name}]`).val() ?? '').trim();
        return { device: value('device'), metric: value('metric'), seconds: value('seconds') };
      });
  },
});
