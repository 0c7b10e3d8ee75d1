import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { QUALITY_CODES } from '../../lib/model';
import { repositoryRoot } from '../support/paths';
import { elementsOf } from './markup';
import { catalogueOf, formOf, LANGUAGES, nodeTypes, placeholdersOf, readJson, readSource } from './node-sources';
import { type TextUse, textUses } from './text-uses';

/** Has the texts that several nodes share. */
const COMMON_OWNER = 'gateway-database';

function codeOf(folder: string): TextUse[] {
  return readdirSync(join(repositoryRoot, 'nodes', folder))
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => textUses(readSource('nodes', folder, file)));
}

/** `[placeholder]a.b;c.d` names a.b and c.d. */
function formKeys(type: string): TextUse[] {
  return elementsOf(formOf(type))
    .flatMap((element) => element.attributes.get('data-i18n')?.split(';') ?? [])
    .map((key) => ({ key: key.replace(/^\[[\w-]+\]/, ''), values: [] }));
}

function matching(key: string, keys: Iterable<string>): string[] {
  const pattern = new RegExp(`^${key.replaceAll('.', '\\.').replaceAll('*', '[^.]+')}$`);
  return [...keys].filter((candidate) => pattern.test(candidate));
}

const uses = [...nodeTypes, 'common'].flatMap((folder) =>
  [...codeOf(folder), ...(folder === 'common' ? [] : formKeys(folder))].map((use) => ({ ...use, folder })),
);

describe('catalogues', () => {
  test('every node has texts and help in every language, and nothing else has', () => {
    const expected = nodeTypes.flatMap((type) => [`${type}.html`, `${type}.json`]).sort();
    assert.deepEqual(readdirSync(join(repositoryRoot, 'locales')).sort(), [...LANGUAGES].sort());
    for (const language of LANGUAGES)
      assert.deepEqual(readdirSync(join(repositoryRoot, 'locales', language)).sort(), expected, language);
  });

  for (const type of nodeTypes) {
    test(`${type}: the languages have the same keys, in the same order, with the same placeholders`, () => {
      const original = catalogueOf(type, 'en-US');
      for (const language of LANGUAGES) {
        const texts = catalogueOf(type, language);
        assert.deepEqual([...texts.keys()], [...original.keys()], language);
        for (const [key, text] of texts) {
          assert.notEqual(text.trim(), '', `${language} ${key}`);
          assert.deepEqual(placeholdersOf(text), placeholdersOf(original.get(key) ?? ''), `${language} ${key}`);
        }
      }
    });

    test(`${type}: keys begin with the name of the node`, () => {
      for (const key of catalogueOf(type, 'en-US').keys())
        assert.ok(key.startsWith(`${type}.`) || (type === COMMON_OWNER && key.startsWith('common.')), key);
    });
  }

  test('every text that a form or the code asks for exists, and takes the values that it is given', () => {
    for (const { key, values, folder } of uses) {
      const owner = key.startsWith('common.') ? COMMON_OWNER : folder;
      assert.ok(nodeTypes.includes(owner), `${key} in nodes/${folder}`);
      const texts = catalogueOf(owner, 'en-US');
      const found = matching(key, texts.keys());
      assert.notEqual(found.length, 0, `${key}, asked for in nodes/${folder}, is in no catalogue`);
      if (values !== undefined)
        for (const name of found) assert.deepEqual(placeholdersOf(texts.get(name) ?? ''), values, name);
    }
  });

  test('no text is left that nothing asks for', () => {
    const unused = nodeTypes.flatMap((type) => {
      const keys = catalogueOf(type, 'en-US').keys();
      const used = new Set(uses.flatMap(({ key }) => matching(key, catalogueOf(type, 'en-US').keys())));
      return [...keys].filter((key) => !used.has(key));
    });
    assert.deepEqual(unused, []);
  });
});

describe('texts of the dashboard', () => {
  const texts = readJson('flows', 'ui', 'translations.json') as Record<string, Record<string, string>>;
  const namesIn = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name).sort();

  test('are there in every language, with the same keys and placeholders', () => {
    assert.deepEqual(Object.keys(texts), [...LANGUAGES]);
    for (const language of LANGUAGES) {
      assert.deepEqual(Object.keys(texts[language] ?? {}), Object.keys(texts['en-US'] ?? {}), language);
      for (const [key, text] of Object.entries(texts[language] ?? {})) {
        assert.notEqual(text.trim(), '', `${language} ${key}`);
        assert.deepEqual(namesIn(text), namesIn(texts['en-US']?.[key] ?? ''), `${language} ${key}`);
      }
    }
  });

  test('have a word for every status that a reading can have', () => {
    for (const name of Object.keys(QUALITY_CODES))
      assert.notEqual(texts['en-US']?.[`quality.${name}`], undefined, name);
  });
});
