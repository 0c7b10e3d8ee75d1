/**
 * A list of command definitions in a form. A plain script as rules.editor.ts is: the build puts it before the editor code
 * of each node, and leaves it out where nothing of it is used.
 */
type DefinitionFields = { readonly [field: string]: unknown };

/** What a row of the list begins with; nothing for one that somebody adds. */
interface DefinitionRow {
  readonly definition?: DefinitionFields | string;
}

interface DefinitionFault {
  readonly field: string;
  readonly value: string;
  readonly rule: string;
  readonly cure: string;
}

/** Fields that stand beside the JSON, whose properties they show and change. */
const DEFINITION_FIELDS = ['name', 'profileId', 'devEui', 'fPort'];

/** What every definition needs; the gateway itself judges the rest while the form is open. */
function isDefinition(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { profileId, devEui, preset, name, fPort, payload } = value as DefinitionFields;
  const hasPreset = cellText(preset) !== '';
  const isFor = (cellText(profileId) === '') !== (cellText(devEui) === '');
  const isPort =
    fPort === undefined
      ? hasPreset
      : typeof fPort === 'number' && Number.isInteger(fPort) && fPort >= 1 && fPort <= 223;
  return isFor && isPort && (hasPreset || (cellText(name) !== '' && payload !== undefined));
}

function definitionsRule(): FieldRule {
  return fieldRule(
    'definitions',
    {},
    (text, value) => text === '' && (!Array.isArray(value) || value.every(isDefinition)),
  );
}

/** The definition that a row's JSON says; `undefined` if it is none. */
function definitionIn(json: JQuery): DefinitionFields | undefined {
  try {
    const value: unknown = JSON.parse(String(json.val()));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as DefinitionFields)
      : undefined;
  } catch {
    return undefined;
  }
}

interface DefinitionTexts {
  readonly field: (name: string) => string;
  readonly edit: string;
  readonly notJson: string;
}

/** One row: what a definition is for in fields, and all of it as JSON. */
function fillDefinition(
  container: JQuery,
  item: DefinitionFields | string,
  texts: DefinitionTexts,
  changed: () => void,
): void {
  const text = typeof item === 'string' ? item : JSON.stringify(item, undefined, 2);
  const json = $('<textarea/>', {
    'data-field': 'json',
    rows: 5,
    spellcheck: 'false',
    'aria-label': texts.field('json'),
  })
    .css({ width: '100%', fontFamily: 'monospace', resize: 'vertical' })
    .val(text);
  const fault = $('<div/>', { role: 'status', 'data-field': 'fault' }).css({ color: 'var(--red-ui-text-color-error)' });
  const fields = new Map(
    DEFINITION_FIELDS.map((name) => {
      const width = name === 'fPort' ? '10%' : name === 'profileId' ? '32%' : '20%';
      const input = $('<input/>', {
        type: 'text',
        'data-field': name,
        placeholder: texts.field(name),
        'aria-label': texts.field(name),
      });
      return [name, input.css({ flex: `1 1 ${width}`, minWidth: 0, width: 'auto' })];
    }),
  );
  const confirmed = $('<input/>', { type: 'checkbox', 'data-field': 'confirmed' }).css({
    width: 'auto',
    margin: '0 4px 0 0',
  });
  const expand = $('<button/>', { type: 'button', class: 'red-ui-button red-ui-button-small' }).text(texts.edit);

  const show = (): void => {
    const definition = definitionIn(json);
    json.toggleClass('input-error', definition === undefined);
    if (definition === undefined) fault.text(texts.notJson);
    for (const [name, input] of fields) {
      input.prop('disabled', definition === undefined);
      const value = cellText(definition?.[name]);
      if (definition !== undefined && String(input.val()).trim() !== value) input.val(value);
    }
    confirmed.prop('disabled', definition === undefined);
    if (definition !== undefined) confirmed.prop('checked', definition.confirmed === true);
  };
  const set = (name: string, value: unknown): void => {
    const definition = definitionIn(json);
    if (definition === undefined) return;
    const { [name]: _, ...others } = definition;
    // A field keeps its place, a new one comes first.
    const next = name in definition ? { ...definition, [name]: value } : { [name]: value, ...definition };
    json.val(JSON.stringify(value === undefined ? others : next, undefined, 2));
    changed();
  };
  for (const [name, input] of fields)
    input.on('change', () => {
      const value = String(input.val()).trim();
      const isNumber = name === 'fPort' && value !== '' && Number.isFinite(Number(value));
      set(name, value === '' ? undefined : isNumber ? Number(value) : value);
    });
  confirmed.on('change', () => set('confirmed', confirmed.prop('checked') === true));
  json.on('input change', () => {
    fault.text('');
    show();
    changed();
  });
  expand.on('click', () =>
    RED.editor.editJSON({
      value: String(json.val()),
      complete: (value: string) => void json.val(value).trigger('change'),
    }),
  );
  container.append(
    $('<div/>')
      .css({ display: 'flex', gap: '6px', alignItems: 'center', marginBottom: '4px' })
      .append(
        ...fields.values(),
        $('<label/>')
          .css({ width: 'auto', margin: 0, whiteSpace: 'nowrap' })
          .append(confirmed, document.createTextNode(texts.field('confirmed'))),
        expand,
      ),
    json,
    fault,
  );
  show();
}

/** Says at each row what the gateway will say of it when it is deployed. */
function showFaults(list: JQuery, rest: JQuery, faults: readonly DefinitionFault[]): void {
  const line = ({ field, value, rule, cure }: DefinitionFault): string => `${field} is ${value}: ${rule}. ${cure}`;
  const taken = new Set<DefinitionFault>();
  for (const [index, item] of list.editableList('items').toArray().entries()) {
    const json = $(item).find('[data-field=json]');
    const own = faults.filter(({ field }) => field.startsWith(`definitions[${index}]`));
    for (const fault of own) taken.add(fault);
    if (definitionIn(json) === undefined) continue;
    json.toggleClass('input-error', own.length > 0);
    $(item)
      .find('[data-field=fault]')
      .empty()
      .append(...own.map((fault) => $('<div/>').text(line(fault))));
  }
  rest.empty().append(...faults.filter((fault) => !taken.has(fault)).map((fault) => $('<div/>').text(line(fault))));
}

/** All rows; a text where somebody has not finished his JSON. */
function readDefinitions(list: JQuery): (DefinitionFields | string)[] {
  return list
    .editableList('items')
    .toArray()
    .map((item: HTMLElement | JQuery) => {
      const json = $(item).find('[data-field=json]');
      return definitionIn(json) ?? String(json.val());
    });
}
