interface CommandQueueProperties {
  name: string;
  database: string;
  connection: string;
  dispatch: string;
  /** As docs/commands.md describes them. A text is `${NAME}` or JSON; one inside the list is what is no JSON yet. */
  definitions: (DefinitionFields | string)[] | string;
  maxPerDevice: string;
}

const PRESETS = ['valve', 'switch', 'level', 'set-point', 'relay-pulse', 'reporting-interval'];
/** ms without a change, until the gateway is asked whether it can take the definitions. */
const CHECK_DELAY = 400;
function dispatchRule(): FieldRule {
  return fieldRule('dispatch', {}, (text) => /^(grpc|message)?$/.test(text));
}

RED.nodes.registerType<CommandQueueProperties & import('node-red').EditorNodeProperties>('command-queue', {
  category: 'lorua',
  color: '#C7D8C6',
  defaults: {
    name: { value: '' },
    database: { value: '', type: 'gateway-database', required: true },
    dispatch: { value: 'grpc', validate: dispatchRule() },
    connection: { value: '', type: 'chirpstack-connection', required: false },
    maxPerDevice: { value: '', validate: integerRule(1, 10_000) },
    definitions: { value: [], validate: definitionsRule() },
  },
  inputs: 1,
  outputs: 2,
  icon: 'command-queue.svg',
  paletteLabel() {
    return this._('command-queue.palette');
  },
  inputLabels() {
    return this._('command-queue.input.commands');
  },
  outputLabels(index) {
    return this._(`command-queue.output.${['statuses', 'downlinks'][index]}`);
  },
  label() {
    return this.name || this._('command-queue.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const dispatch = $('#node-input-dispatch');
    showChoice(dispatch, this.dispatch, 'grpc');
    const showConnection = (): void =>
      void $('#node-input-connection')
        .closest('.form-row')
        .toggle(dispatch.val() !== 'message');
    dispatch.on('change', showConnection);
    showConnection();

    const list = $('#node-input-definitions-container');
    const rest = $('#command-queue-faults').css({ color: 'var(--red-ui-text-color-error)' });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const check = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        // The form may be closed meanwhile.
        if (!list.closest('body').length) return;
        const definitions = readDefinitions(list);
        void $.ajax({
          url: 'lorua/command-definitions/check',
          method: 'POST',
          contentType: 'application/json',
          data: JSON.stringify({ definitions }),
        }).done(({ faults }: { faults: DefinitionFault[] }) => {
          if (list.closest('body').length) showFaults(list, rest, faults);
        });
      }, CHECK_DELAY);
    };
    const texts: DefinitionTexts = {
      field: (name) => this._(`command-queue.field.${name}`),
      edit: this._('command-queue.form.edit'),
      notJson: this._('command-queue.form.notJson'),
    };
    list.css({ minHeight: '180px' }).editableList({
      addItem(container, _index, { definition = { name: '', fPort: 1 } }: DefinitionRow) {
        fillDefinition(container, definition, texts, check);
        check();
      },
      removeItem: check,
      sortItems: check,
      removable: true,
      sortable: true,
    });
    if (Array.isArray(this.definitions))
      for (const definition of this.definitions) list.editableList('addItem', { definition });

    const select = $('<select/>', { 'aria-label': this._('command-queue.form.preset') }).css({ width: '50%' });
    for (const preset of PRESETS)
      select.append($('<option/>', { value: preset, text: this._(`command-queue.preset.${preset}`) }));
    const add = $('<button/>', { type: 'button', class: 'red-ui-button' }).text(this._('command-queue.form.addPreset'));
    $('#command-queue-presets').css({ display: 'flex', gap: '6px', marginBottom: '6px' }).append(select, add);
    add.on('click', () => {
      const preset = String(select.val());
      const addFields = (definition: DefinitionFields): void => list.editableList('addItem', { definition });
      $.ajax({ url: 'lorua/command-definitions/presets', method: 'GET' }).then(
        (presets: Readonly<Record<string, DefinitionFields>>) => addFields(presets[preset] ?? { preset }),
        // The gateway fills it in itself.
        () => addFields({ preset }),
      );
    });
  },
  oneditsave() {
    const definitions = readDefinitions($('#node-input-definitions-container'));
    // A text from the environment stays until somebody adds a definition.
    if (definitions.length > 0 || typeof this.definitions !== 'string') this.definitions = definitions;
  },
});
