/**
 * Rules for the fields of the editor's forms. This file is a plain script: the build puts it before the editor code of
 * each node, whose forms call its functions. Every rule lets `${NAME}` pass, which the environment will fill.
 */
type FieldRule = (value: string) => boolean;

const COMMON_TEXTS = '@lorua/node-red-lorua/gateway-database:common';

function isFromEnvironment(value: unknown): boolean {
  return typeof value === 'string' && /^\$\{[^}]+\}$/.test(value.trim());
}

function fieldRule(
  key: string,
  values: Record<string, string | number>,
  holds: (text: string, value: unknown) => boolean,
): FieldRule {
  // The editor takes a text as the reason from rules with two parameters only: from others it is as good as true.
  const rule = (value: unknown, _options: unknown): boolean | string => {
    const text = typeof value === 'number' || typeof value === 'string' ? String(value).trim() : '';
    return isFromEnvironment(text) || holds(text, value) || RED._(`${COMMON_TEXTS}.rule.${key}`, values);
  };
  // The published type does not know of reasons yet.
  return rule as FieldRule;
}

/** Empty (the default holds) or a number within limits. */
function numberRule(least: number, most: number): FieldRule {
  return fieldRule('number', { least, most }, (text) => text === '' || isNumberIn(text, least, most));
}

/** Empty, 0 (no limit) or a number within limits. */
function limitRule(least: number, most: number): FieldRule {
  return fieldRule(
    'limit',
    { least, most },
    (text) => text === '' || isNumberIn(text, 0, 0) || isNumberIn(text, least, most),
  );
}

function isNumberIn(text: string, least: number, most: number): boolean {
  const value = text === '' ? Number.NaN : Number(text.replace(',', '.'));
  return Number.isFinite(value) && value >= least && value <= most;
}

/** `http[s]://host[:port]`. */
function addressRule(): FieldRule {
  return fieldRule('url', {}, (text) => /^https?:\/\/[^\s/?#@]+\/?$/i.test(text));
}

/** Empty or UUIDs separated by commas. */
function uuidsRule(): FieldRule {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
  return fieldRule('uuids', {}, (text) => text === '' || text.split(',').every((part) => uuid.test(part.trim())));
}

/** Empty (the default holds) or a whole number within limits. */
function integerRule(least: number, most: number): FieldRule {
  return fieldRule(
    'integer',
    { least, most },
    (text) => text === '' || (/^-?\d+$/.test(text) && isNumberIn(text, least, most)),
  );
}

/** A checkbox, or the text that stands in its place. */
function switchRule(): FieldRule {
  return fieldRule('switch', {}, (text, value) => typeof value === 'boolean' || /^(true|false)?$/.test(text));
}

/**
 * Shows a checkbox whose value may be a text: one from the environment becomes a text field, which keeps it. The editor
 * alone would take any text for a tick.
 */
function showSwitch(input: JQuery, value: boolean | string | undefined, otherwise: boolean): void {
  if (isFromEnvironment(value))
    input.prop('checked', false).attr('type', 'text').css({ width: '45%' }).val(String(value));
  else input.prop('checked', value === undefined || value === '' ? otherwise : value === true || value === 'true');
}

/** Shows a choice whose value may be missing in an older flow, or come from the environment. */
function showChoice(select: JQuery, value: string | undefined, otherwise: string): void {
  if (isFromEnvironment(value)) select.append($('<option/>', { value, text: value }));
  select.val(value || otherwise);
}

/** A column in a list of rules for devices and metrics: of numbers with limits, else of texts. */
interface RuleColumn {
  readonly field: string;
  /** CSS */
  readonly width: string;
  readonly least?: number;
  readonly most?: number;
}

/** A row of such a list: `device` and `metric` (`*` is any), and what its columns say. */
type RuleRow = { readonly [field: string]: unknown };

function cellText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
}

/** Rows of a device or `*`, a metric or `*`, and something in at least one column, numbers within their limits. */
function rowsRule(columns: readonly RuleColumn[]): FieldRule {
  const isRow = (row: RuleRow): boolean => {
    const device = cellText(row.device);
    return (
      (device === '' || device === '*' || /^[0-9a-f]{16}$/i.test(device.replace(/[:-]/g, ''))) &&
      columns.some(({ field }) => cellText(row[field]) !== '') &&
      columns.every(({ field, least, most }) => {
        const text = cellText(row[field]);
        return text === '' || least === undefined || most === undefined || isNumberIn(text, least, most);
      })
    );
  };
  return fieldRule('rows', {}, (text, value) => text === '' && (!Array.isArray(value) || value.every(isRow)));
}

/** Makes a list of rules in a form. `text` gives the label of a column, which its fields show while they are empty. */
function fillRuleList(
  list: JQuery,
  columns: readonly RuleColumn[],
  text: (field: string) => string,
  rows: readonly RuleRow[] | string | undefined,
): void {
  const input = (field: string, value: unknown, width: string): JQuery =>
    $('<input/>', { type: 'text', 'data-field': field, placeholder: text(field), 'aria-label': text(field) })
      .css({ flex: `1 1 ${width}`, minWidth: 0, width: 'auto' })
      .val(cellText(value));
  list.css({ minHeight: '120px' }).editableList({
    addItem(container, _index, row: RuleRow) {
      container
        .css({ display: 'flex', gap: '6px' })
        .append(
          input('device', row.device ?? '*', '36%'),
          input('metric', row.metric ?? '*', '22%'),
          ...columns.map(({ field, width }) => input(field, row[field], width)),
        );
    },
    removable: true,
    sortable: true,
  });
  // A text names the environment or is JSON, made outside of this form.
  if (Array.isArray(rows)) for (const row of rows) list.editableList('addItem', row);
}

/** What a list of rules says now; a text that was there before stays until somebody adds a rule. */
function readRuleList<Field extends string, Text extends string>(
  list: JQuery,
  fields: readonly Field[],
  before: readonly unknown[] | Text,
): Record<Field, string>[] | Text {
  const items = list.editableList('items').toArray();
  if (items.length === 0 && typeof before === 'string') return before;
  return items.map((item: HTMLElement | JQuery) => {
    const value = (name: string): string => String($(item).find(`[data-field=${name}]`).val() ?? '').trim();
    return Object.fromEntries(fields.map((field) => [field, value(field)])) as Record<Field, string>;
  });
}
