/**
 * Rules for the fields of the editor's forms. This file is a plain script: the build puts it before the editor code of
 * each node, whose forms call its functions. Every rule lets `${NAME}` pass, which the environment will fill.
 */
type FieldRule = (value: string) => boolean;

const COMMON_TEXTS = '@lorua/node-red-lorua/gateway-database:common';

function isFromEnvironment(value: unknown): boolean {
  return typeof value === 'string' && /^\$\{[^}]+\}$/.test(value.trim());
}

function fieldRule(key: string, values: Record<string, string | number>, holds: (value: string) => boolean): FieldRule {
  const rule = (value: unknown): boolean | string => {
    const text = typeof value === 'number' || typeof value === 'string' ? String(value).trim() : '';
    return isFromEnvironment(text) || holds(text) || RED._(`${COMMON_TEXTS}.rule.${key}`, values);
  };
  // The editor takes a text as the reason; the published type does not know that yet.
  return rule as FieldRule;
}

/** Empty (the default holds) or a number within limits. */
function numberRule(least: number, most: number): FieldRule {
  return fieldRule('number', { least, most }, (text) => {
    const value = Number(text.replace(',', '.'));
    return text === '' || (Number.isFinite(value) && value >= least && value <= most);
  });
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

/** Empty (the secure defaults) or `policy/mode` pairs separated by commas. */
function endpointsRule(): FieldRule {
  const pair = /^(None|(Basic256|Basic256Sha256|Aes128_Sha256_RsaOaep|Aes256_Sha256_RsaPss)\/(Sign|SignAndEncrypt))$/;
  return fieldRule('endpoints', {}, (text) => text === '' || text.split(',').every((part) => pair.test(part.trim())));
}
