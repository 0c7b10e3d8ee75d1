import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadEditor } from './editor';
import { type Element, elementsOf, parseMarkup, textOf } from './markup';
import { catalogueOf, formOf, LANGUAGES, type Language, nodeTypes, readSource } from './node-sources';

/** Sections that help may have, in this order. */
const HEADINGS: Readonly<Record<Language, readonly string[]>> = {
  'en-US': ['Properties', 'Inputs', 'Outputs', 'Details', 'References'],
  de: ['Eigenschaften', 'Eingänge', 'Ausgänge', 'Einzelheiten', 'Verweise'],
  fr: ['Propriétés', 'Entrées', 'Sorties', 'Détails', 'Références'],
};
const [PROPERTIES, INPUTS, OUTPUTS] = [0, 1, 2];

/** Properties whose label says all: a name, and the nodes that a node works with. */
const OBVIOUS = new Set(['name', 'connection', 'database', 'applicationName']);

/** Elements whose order is the structure of a help page; inline ones follow the grammar of each language. */
const STRUCTURE = ['p', 'h3', 'dl', 'dt', 'dd', 'ol', 'ul', 'li'];

interface Term {
  readonly section: number;
  readonly name: string;
  readonly type: string;
  readonly optional: boolean;
}

function helpOf(type: string, language: Language): Element {
  const [script, ...others] = elementsOf(parseMarkup(readSource('locales', language, `${type}.html`)), 'script');
  assert.ok(script && others.length === 0, 'help is one script element');
  assert.equal(script.attributes.get('type'), 'text/html');
  assert.equal(script.attributes.get('data-help-name'), type);
  return script;
}

function sectionsOf(help: Element, language: Language): number[] {
  return elementsOf(help, 'h3').map((heading) => HEADINGS[language].indexOf(textOf(heading)));
}

function termsOf(help: Element, language: Language): Term[] {
  let section = -1;
  return elementsOf(help, 'h3', 'dt').flatMap((element) => {
    if (element.name === 'h3') {
      section = HEADINGS[language].indexOf(textOf(element));
      return [];
    }
    const [type] = elementsOf(element, 'span');
    assert.ok(type?.attributes.get('class') === 'property-type', `${textOf(element)} tells its type`);
    const name = textOf({ ...element, children: element.children.filter((child) => child !== type) });
    return [{ section, name, type: textOf(type), optional: element.attributes.get('class') === 'optional' }];
  });
}

/** A label without its unit: "Dead after (times)" is explained under "Dead after". */
function withoutUnit(label: string): string {
  return label.replace(/\s*\([^)]*\)$/, '');
}

/** Property → label of the form in one language. */
function labelsOf(type: string, language: Language): Map<string, string> {
  const texts = catalogueOf(type, language);
  const labels = new Map<string, string>();
  for (const label of elementsOf(formOf(type), 'label')) {
    const key = elementsOf(label)
      .map((element) => element.attributes.get('data-i18n'))
      .find((name) => name !== undefined);
    if (key !== undefined) labels.set(key.split('.').at(-1) ?? '', texts.get(key) ?? '');
  }
  return labels;
}

for (const type of nodeTypes)
  describe(`help of ${type}`, () => {
    for (const language of LANGUAGES) {
      test(`${language}: begins with a paragraph and has known sections in order`, () => {
        const help = helpOf(type, language);
        assert.equal(help.children.find((child) => typeof child !== 'string')?.name, 'p');
        const sections = sectionsOf(help, language);
        assert.ok(!sections.includes(-1), 'a heading is unknown');
        assert.deepEqual(
          sections,
          [...new Set(sections)].sort((a, b) => a - b),
        );
      });

      test(`${language}: tells about inputs, outputs and properties, where there are any`, async () => {
        const { definition } = await loadEditor(type);
        const help = helpOf(type, language);
        const sections = sectionsOf(help, language);
        const outputs = definition.outputs ?? 0;
        assert.equal(sections.includes(INPUTS), (definition.inputs ?? 0) > 0);
        assert.equal(sections.includes(OUTPUTS), outputs > 0);
        const properties = Object.keys({ ...definition.defaults, ...definition.credentials });
        assert.equal(
          sections.includes(PROPERTIES),
          properties.some((property) => !OBVIOUS.has(property)),
        );
        const [ports] = elementsOf(help, 'ol');
        if (outputs > 1) assert.equal(ports?.children.filter((child) => typeof child !== 'string').length, outputs);
      });

      test(`${language}: explains each property under the label that the form shows`, () => {
        const terms = termsOf(helpOf(type, language), language)
          .filter(({ section }) => section === PROPERTIES)
          .flatMap(({ name }) => name.split(', ').map(withoutUnit));
        const labels = [...labelsOf(type, language)];
        assert.deepEqual(
          labels.filter(([property, label]) => !OBVIOUS.has(property) && !terms.includes(withoutUnit(label))),
          [],
          'without help',
        );
        const known = labels.map(([, label]) => withoutUnit(label));
        assert.deepEqual(
          terms.filter((term) => !known.includes(term)),
          [],
          'not in the form',
        );
      });
    }

    for (const language of LANGUAGES.slice(1))
      test(`${language}: has the structure, the terms and the code of en-US`, () => {
        const original = helpOf(type, 'en-US');
        const translated = helpOf(type, language);
        const structure = (help: Element): string[] => elementsOf(help, ...STRUCTURE).map(({ name }) => name);
        assert.deepEqual(structure(translated), structure(original));
        assert.deepEqual(sectionsOf(translated, language), sectionsOf(original, 'en-US'));
        // Properties are named by their labels, everything else by the names in messages.
        const terms = (help: Element, of: Language): Term[] =>
          termsOf(help, of).map((term) => (term.section === PROPERTIES ? { ...term, name: '' } : term));
        assert.deepEqual(terms(translated, language), terms(original, 'en-US'));
        const code = (help: Element): string[] => elementsOf(help, 'code').map(textOf).sort();
        assert.deepEqual(code(translated), code(original));
      });

    for (const language of LANGUAGES.slice(1))
      test(`${language}: is translated`, () => {
        const paragraphs = (of: Language): string[] => elementsOf(helpOf(type, of), 'p').map(textOf);
        const original = paragraphs('en-US');
        for (const paragraph of paragraphs(language)) assert.ok(!original.includes(paragraph), paragraph);
      });
  });
