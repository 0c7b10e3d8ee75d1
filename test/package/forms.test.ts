import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { InvalidInputError } from '../../lib/model';
import { LIMIT_RANGES, parseServerSettings } from '../../lib/opcua';
import { repositoryRoot } from '../support/paths';
import { type FieldDefinition, loadEditor } from './editor';
import { type Element, elementsOf, parseMarkup, textOf } from './markup';
import { formOf, nodeTypes, readSource } from './node-sources';

/** Node-RED's own elements for lists: the editable list of a property is made from this container. */
const LIST_SUFFIX = '-container';

const FIELDS = ['input', 'select', 'textarea'];
const WHITE = new Set(['#fff', '#ffffff', 'white', 'none']);

function idOf(element: Element): string {
  return element.attributes.get('id') ?? '';
}

/** Properties that the form has a field for, lists included. */
function fieldsOf(form: Element, prefix: string): Map<string, Element> {
  const lists = elementsOf(form, 'ol').filter((list) => idOf(list).endsWith(LIST_SUFFIX));
  return new Map(
    [...elementsOf(form, ...FIELDS), ...lists].map((field) => {
      const id = idOf(field);
      assert.ok(id.startsWith(prefix), `the id "${id}" must begin with ${prefix}`);
      return [id.slice(prefix.length).replace(LIST_SUFFIX, ''), field];
    }),
  );
}

for (const type of nodeTypes)
  describe(`form of ${type}`, () => {
    test('is one template of that type, with ids that occur once', () => {
      const root = formOf(type);
      assert.deepEqual(
        elementsOf(root, 'script').map((script) => script.attributes.get('data-template-name')),
        [type],
      );
      const ids = elementsOf(root).map(idOf).filter(Boolean);
      assert.deepEqual(ids, [...new Set(ids)]);
    });

    test('has one field for each property, of the kind that the property needs', async () => {
      const { definition } = await loadEditor(type);
      const prefix = definition.category === 'config' ? 'node-config-input-' : 'node-input-';
      const fields = fieldsOf(formOf(type), prefix);
      const properties = [...Object.keys(definition.defaults), ...Object.keys(definition.credentials ?? {})];
      assert.deepEqual([...fields.keys()].sort(), properties.sort());
      assert.equal(properties.includes('name'), true);
      for (const [property, { value }] of Object.entries(definition.defaults)) {
        const field = fields.get(property);
        if (typeof value === 'boolean') assert.equal(field?.attributes.get('type'), 'checkbox', property);
        if (Array.isArray(value)) assert.equal(field?.name, 'ol', property);
      }
      for (const [property, credential] of Object.entries(definition.credentials ?? {}))
        assert.equal(fields.get(property)?.attributes.get('type'), credential.type, property);
    });

    test('labels every field, in words from the catalogue', () => {
      const form = formOf(type);
      const labels = elementsOf(form, 'label');
      for (const label of labels) {
        const texts = elementsOf(label).filter((element) => element.attributes.has('data-i18n'));
        assert.equal(texts.length, 1, `a label of ${label.attributes.get('for') ?? idOf(label)}`);
      }
      for (const field of elementsOf(form, ...FIELDS)) {
        const own = labels.filter((label) => label.attributes.get('for') === idOf(field));
        assert.equal(own.length, 1, `labels of ${idOf(field)}`);
      }
      for (const list of elementsOf(form, 'ol'))
        assert.ok(labels.some((label) => idOf(label) === list.attributes.get('aria-labelledby')));
      const fields = new Set(elementsOf(form, ...FIELDS).map(idOf));
      for (const label of labels) {
        const target = label.attributes.get('for');
        if (target !== undefined) assert.ok(fields.has(target), `${target} is a field`);
      }
    });

    test('shows no text that cannot be translated', () => {
      assert.equal(textOf(formOf(type)), '');
    });
  });

for (const type of nodeTypes)
  describe(`editor code of ${type}`, () => {
    test('has one literal registerType call, as the tools of the Flow Library read it', async () => {
      const { script, type: registered } = await loadEditor(type);
      assert.equal(registered, type);
      assert.equal(script.match(/registerType/g)?.length, 1);
      assert.match(script, new RegExp(`RED\\.nodes\\.registerType\\(\\s*"${type}",\\s*\\{`));
      assert.doesNotMatch(script, /\bimport\b|\brequire\b|\bexport\b/);
    });

    test('starts with values that its own rules accept', async () => {
      const { definition } = await loadEditor(type);
      for (const [property, field] of Object.entries(definition.defaults))
        if (field.validate !== undefined) {
          assert.equal(field.validate(field.value), true, property);
          assert.equal(field.validate(`\${${property.toUpperCase()}}`), true, `${property} from the environment`);
        }
    });

    test('says why a rule refuses a value', async () => {
      const { definition } = await loadEditor(type);
      for (const [property, field] of Object.entries(definition.defaults))
        if (field.validate !== undefined) {
          assert.equal(typeof field.validate('no such/value'), 'string', property);
          // The editor takes a text from a rule with one parameter for "valid".
          assert.equal(field.validate.length, 2, property);
        }
    });

    test('keeps secrets in credentials, the same as the runtime', async () => {
      const { definition } = await loadEditor(type);
      for (const property of Object.keys(definition.defaults)) assert.doesNotMatch(property, /token|password|secret/i);
      const runtime = readSource('nodes', type, `${type}.ts`);
      for (const [property, credential] of Object.entries(definition.credentials ?? {}))
        assert.ok(runtime.includes(`${property}: { type: '${credential.type}' }`), `${property} in the runtime`);
      if (definition.credentials === undefined) assert.doesNotMatch(runtime, /\{ credentials: \{/);
    });

    test('names configuration nodes of ours only', async () => {
      const { definition } = await loadEditor(type);
      for (const { type: named } of Object.values(definition.defaults))
        if (named !== undefined) assert.ok(nodeTypes.includes(named), named);
    });

    test('has labels for its ports, a colour and its own icon in the palette', async () => {
      const { definition } = await loadEditor(type);
      if (definition.category === 'config') return;
      assert.equal(definition.category, 'lorua');
      assert.match(definition.color ?? '', /^#[0-9A-F]{6}$/);
      assert.equal(definition.icon, `${type}.svg`);
      for (let index = 0; index < (definition.inputs ?? 0); index++)
        assert.match(definition.inputLabels?.(index) ?? '', /^[\w-]+(\.\w+)+$/);
      for (let index = 0; index < (definition.outputs ?? 0); index++)
        assert.match(definition.outputLabels?.(index) ?? '', /^[\w-]+(\.\w+)+$/);
    });
  });

describe('icons', () => {
  const files = readdirSync(join(repositoryRoot, 'icons')).sort();

  test('every node of the palette has one, and no file is left over', async () => {
    const icons = (await Promise.all(nodeTypes.map(loadEditor))).flatMap(({ definition }) => definition.icon ?? []);
    assert.deepEqual(files, icons.sort());
  });

  for (const file of files)
    test(`${file} is a white SVG of 2:3`, () => {
      const [svg, ...others] = elementsOf(parseMarkup(readSource('icons', file)), 'svg');
      assert.ok(svg && others.length === 0);
      const width = Number(svg.attributes.get('width'));
      const height = Number(svg.attributes.get('height'));
      assert.ok(width >= 40 && height >= 60, `${width} × ${height}`);
      assert.equal(height / width, 1.5);
      assert.equal(svg.attributes.get('viewBox'), `0 0 ${width} ${height}`);
      const paints = elementsOf(svg).flatMap(({ attributes }) =>
        ['fill', 'stroke'].flatMap((name) => attributes.get(name) ?? []),
      );
      assert.ok(
        paints.some((paint) => paint !== 'none'),
        'without fill it is black',
      );
      for (const paint of paints) assert.ok(WHITE.has(paint.toLowerCase()), paint);
    });
});

describe('rules for devices and metrics', () => {
  const row = (part: object): object => ({ device: '*', metric: '*', ...part });

  for (const [type, column, most] of [
    ['stale-detector', 'seconds', 31_536_000],
    ['gateway-database', 'retentionDays', 36_500],
  ] as const)
    test(`of ${type} need a device, a metric and a number within limits`, async () => {
      const { definition } = await loadEditor(type);
      const field = definition.defaults.rules;
      assert.ok(field !== undefined && 'validate' in field);
      for (const rules of [
        undefined,
        [],
        [row({ [column]: '1' }), row({ [column]: most })],
        [row({ device: '', metric: 't', [column]: '2,5' })],
        [row({ device: 'A8-40-41-FF-FF-1E-5A-01', [column]: '1' })],
      ])
        assert.equal(field.validate?.(rules), true, JSON.stringify(rules));
      for (const rules of [
        [row({})],
        [row({ [column]: '' })],
        [row({ [column]: '-1' })],
        [row({ [column]: most + 1 })],
        [row({ [column]: 'long' })],
        [row({ device: 'hall', [column]: '1' })],
      ])
        assert.equal(typeof field.validate?.(rules), 'string', JSON.stringify(rules));
    });

  test('of gateway-database may be about a dead-band alone, a size may be without limit', async () => {
    const { definition } = await loadEditor('gateway-database');
    assert.equal(definition.defaults.rules?.validate?.([row({ retentionDays: '', deadband: '0' })]), true);
    const field = definition.defaults.maximumSizeMegabytes;
    for (const size of ['', '0', '10', '1000000000', 500]) assert.equal(field?.validate?.(size), true, String(size));
    for (const size of ['9', '-1', 'big', '1e10']) assert.equal(typeof field?.validate?.(size), 'string', size);
  });
});

describe('the form of opcua-gateway-server', () => {
  const rules = async (): Promise<Readonly<Record<string, FieldDefinition>>> =>
    (await loadEditor('opcua-gateway-server')).definition.defaults;

  test('has the limits of the server, and shows what holds where nothing is entered', async () => {
    const defaults = await rules();
    const form = formOf('opcua-gateway-server');
    const fields = new Map(elementsOf(form, 'input').map((field) => [idOf(field), field]));
    for (const [limit, { fallback, minimum, maximum }] of Object.entries(LIMIT_RANGES)) {
      const field = defaults[limit];
      assert.ok(field !== undefined && 'validate' in field, limit);
      const placeholder = fields.get(`node-input-${limit}`)?.attributes.get('placeholder');
      assert.equal(placeholder, String(fallback), limit);
      for (const value of ['', String(minimum), String(maximum), ` ${fallback} `])
        assert.equal(field.validate?.(value), true, `${limit} ${value}`);
      for (const value of [String(minimum - 1), String(maximum + 1), '1.5', '1,5', 'many'])
        assert.equal(typeof field.validate?.(value), 'string', `${limit} ${value}`);
    }
  });

  test('judges texts as the server does', async () => {
    const defaults = await rules();
    const input = { pkiFolder: '/pki' };
    const TEXTS: Readonly<Record<string, readonly string[]>> = {
      endpoints: [
        '',
        'None',
        'none',
        'Basic256Sha256',
        ' basic256sha256/sign , None ',
        'Basic256/Sign',
        'Basic128/Sign',
        'Sign',
        'Basic256Sha256/None',
        'x',
      ],
      host: ['', '0.0.0.0', '::1', 'gateway.plant.example', 'a b', '-x', 'host:4840'],
      advertisedHosts: [
        '',
        'a, b:4841',
        'opc.tcp://gateway:4840',
        '[fe80::1]:4840',
        'fe80::1',
        'a b',
        'a:0',
        'a:70000',
        'a,,b',
        'http://x',
      ],
      applicationName: ['', 'Plant 7', 'urn:x', 'a/b', 'x'.repeat(65)],
      applicationUri: ['', 'urn:plant:gateway', 'no uri', 'x y:z'],
      sourceTime: ['', 'true', 'heartbeat', 'false'],
      heartbeatSeconds: ['', '1', '86400', '0', '86401', '1.5'],
      port: ['', '0', '65535', '65536', '-1', 'x'],
      allowAnonymous: ['', 'true', 'false', 'yes'],
    };
    for (const [property, texts] of Object.entries(TEXTS))
      for (const text of texts) {
        let isTaken = true;
        try {
          parseServerSettings({ ...input, [property]: text });
        } catch (error) {
          assert.ok(error instanceof InvalidInputError);
          isTaken = false;
        }
        assert.equal(defaults[property]?.validate?.(text) === true, isTaken, `${property} ${JSON.stringify(text)}`);
      }
  });
});
