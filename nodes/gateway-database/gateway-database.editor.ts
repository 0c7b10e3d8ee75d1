type StorageRuleProperties = {
  /** DevEUI or `*` */
  device: string;
  /** metric key or `*` */
  metric: string;
  /** days; empty = the rule does not say */
  retentionDays: string;
  deadband: string;
};

type MeaningRuleProperties = {
  /** DevEUI or `*` */
  device: string;
  /** metric key or `*` */
  metric: string;
  /** UNECE code, symbol or name; `-` = none */
  unit: string;
  low: string;
  high: string;
  /** `closed|open` or `1=standby|4=running` */
  states: string;
};

interface DatabaseProperties {
  name: string;
  backend: string;
  file: string;
  retentionDays: string;
  maximumSizeMegabytes: string;
  /** A text is `${NAME}` or JSON. */
  rules: StorageRuleProperties[] | string;
  /** A text is `${NAME}` or JSON. */
  meanings: MeaningRuleProperties[] | string;
  eventDays: string;
  auditDays: string;
  commandDays: string;
}

const LONGEST_DAYS = 36_500;
const STORAGE_RULES = [
  { field: 'retentionDays', width: '16%', least: 0, most: LONGEST_DAYS },
  { field: 'deadband', width: '22%', least: 0, most: 1e300 },
];

const LARGEST = 1.797e308;
const MEANING_RULES = [
  { field: 'unit', width: '12%' },
  { field: 'low', width: '10%', least: -LARGEST, most: LARGEST },
  { field: 'high', width: '10%', least: -LARGEST, most: LARGEST },
  { field: 'states', width: '20%' },
];

RED.nodes.registerType<DatabaseProperties & import('node-red').EditorNodeProperties>('gateway-database', {
  category: 'config',
  defaults: {
    name: { value: '' },
    backend: { value: 'sqlite', required: true },
    file: { value: 'lorua.db' },
    retentionDays: { value: '7', validate: numberRule(0, LONGEST_DAYS) },
    maximumSizeMegabytes: { value: '', validate: limitRule(10, 1_000_000_000) },
    rules: { value: [], validate: rowsRule(STORAGE_RULES) },
    meanings: { value: [], validate: rowsRule(MEANING_RULES) },
    eventDays: { value: '30', validate: numberRule(0, LONGEST_DAYS) },
    auditDays: { value: '365', validate: numberRule(0, LONGEST_DAYS) },
    commandDays: { value: '90', validate: numberRule(0, LONGEST_DAYS) },
  },
  paletteLabel() {
    return this._('gateway-database.palette');
  },
  label() {
    return this.name || (this.backend === 'memory' ? this._('gateway-database.backend.memory') : this.file);
  },
  oneditprepare() {
    const backend = $('#node-config-input-backend');
    const showFile = (): void =>
      void $('#node-config-input-file')
        .closest('.form-row')
        .toggle(backend.val() !== 'memory');
    backend.on('change', showFile);
    showFile();
    const text = (key: string): string => this._(`gateway-database.rule.${key}`);
    fillRuleList($('#node-config-input-rules-container'), STORAGE_RULES, text, this.rules);
    fillRuleList($('#node-config-input-meanings-container'), MEANING_RULES, text, this.meanings ?? []);
  },
  oneditsave() {
    const fields = ['device', 'metric', 'retentionDays', 'deadband'] as const;
    this.rules = readRuleList($('#node-config-input-rules-container'), fields, this.rules);
    const words = ['device', 'metric', 'unit', 'low', 'high', 'states'] as const;
    this.meanings = readRuleList($('#node-config-input-meanings-container'), words, this.meanings ?? []);
  },
});
