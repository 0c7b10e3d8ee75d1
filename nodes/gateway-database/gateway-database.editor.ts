type StorageRuleProperties = {
  /** DevEUI or `*` */
  device: string;
  /** metric key or `*` */
  metric: string;
  /** days; empty = the rule does not say */
  retentionDays: string;
  deadband: string;
};

interface DatabaseProperties {
  name: string;
  backend: string;
  file: string;
  retentionDays: string;
  maximumSizeMegabytes: string;
  /** A text is `${NAME}` or JSON. */
  rules: StorageRuleProperties[] | string;
  eventDays: string;
  auditDays: string;
  commandDays: string;
}

const LONGEST_DAYS = 36_500;
const STORAGE_RULES = [
  { field: 'retentionDays', width: '16%', least: 0, most: LONGEST_DAYS },
  { field: 'deadband', width: '22%', least: 0, most: 1e300 },
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
  },
  oneditsave() {
    const fields = ['device', 'metric', 'retentionDays', 'deadband'] as const;
    this.rules = readRuleList($('#node-config-input-rules-container'), fields, this.rules);
  },
});
