interface DatabaseProperties {
  name: string;
  backend: string;
  file: string;
  retentionDays: string;
}

RED.nodes.registerType<DatabaseProperties & import('node-red').EditorNodeProperties>('gateway-database', {
  category: 'config',
  defaults: {
    name: { value: '' },
    backend: { value: 'sqlite', required: true },
    file: { value: 'lorua.db' },
    retentionDays: { value: '7', validate: numberRule(0, 36_500) },
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
  },
});
