import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementsOf, parseMarkup, textOf } from './markup';
import { textUses } from './text-uses';

describe('the checks of the package themselves', () => {
  test('read elements, attributes and text', () => {
    const root = parseMarkup('<!-- a --><p class="x" hidden>a &lt;b&gt;<br>\n <b>c</b></p><input id=\'y\' />');
    assert.deepEqual(
      elementsOf(root).map(({ name }) => name),
      ['p', 'br', 'b', 'input'],
    );
    const [paragraph, input] = elementsOf(root, 'p', 'input');
    assert.equal(paragraph && textOf(paragraph), 'a <b> c');
    assert.deepEqual(
      [...(paragraph?.attributes ?? [])],
      [
        ['class', 'x'],
        ['hidden', ''],
      ],
    );
    assert.equal(input?.attributes.get('id'), 'y');
  });

  for (const wrong of [
    '<p>',
    '</p>',
    '<p><b></p></b>',
    'a & b',
    'a < b',
    '<p class="a" class="b"></p>',
    '&what;',
    '<p class=a>x</p>',
  ])
    test(`refuse ${wrong}`, () => {
      assert.throws(() => parseMarkup(wrong));
    });

  test('find the texts that code asks for', () => {
    const code = [
      "this._('a.b'); RED._('a.c', { count: 1, name });",
      "this._(`a.${['x', 'y'][index]}`); RED._(`a.${state}.end`);",
      "commonText(RED, 'status.missing', { field }); fieldRule('number', { least, most }, check);",
    ].join('\n');
    assert.deepEqual(textUses(code), [
      { key: 'a.b', values: [] },
      { key: 'a.c', values: ['count', 'name'] },
      { key: 'a.x', values: [] },
      { key: 'a.y', values: [] },
      { key: 'a.*.end', values: [] },
      { key: 'common.status.missing', values: ['field'] },
      { key: 'common.rule.number', values: ['least', 'most'] },
    ]);
  });

  test('refuse code that asks for a text by a variable', () => {
    assert.throws(() => textUses('RED._(key)'), /literal/);
    assert.throws(() => textUses('commonText(RED, key)'), /literal/);
  });
});
