/** What the queue says of commands is said by the dashboard in the language of who looks at it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COMMAND_STATES, REFUSALS } from '../../lib/model';
import { repositoryRoot } from '../support/paths';

const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
const page = read('flows/ui/commands.vue');
const words = (JSON.parse(read('flows/ui/translations.json')) as Record<string, Record<string, string>>)['en-US'] ?? {};

/** Pairs of a key and what it recognises, as the page has them. */
const sayings = Array.from(page.matchAll(/\[\s*'(\w+)',\s*\/(\^.*)\/,?\s*\]/g), ([, key = '', source = '']) => ({
  key,
  pattern: new RegExp(source),
}));

/** What people can do, what a flush or a cancel answers, and what stands inside of another sentence. */
const OTHER = /^(?:Try|Give|Cancel|Wait|There) |^The gateway stopped before |^Expected 5 = 5 within 5 s; 5\./;

/** With what is filled in as it may be. */
const FILLED = [
  'Taken back by Anna before it was sent.',
  'Taken back by Anna: it did not reach ChirpStack.',
  'To be taken back by Anna: it is not known yet whether ChirpStack has it.',
  "It was taken out of ChirpStack's queue by Anna.",
  'The queue of the device was emptied by Anna.',
  'Expected position = 50 within 600 s; the device did not report position.',
  'Expected position = 50 within 600 s; position = 12.5.',
];

/** Sentences in the source of the queue; what is filled in is 5. */
function sentences(file: string): string[] {
  const literals = read(`lib/commands/${file}`).matchAll(/'((?:[^'\\\n])*)'|"([^"\n]*)"|`([^`\n]*)`/g);
  return Array.from(literals, ([, single, double, template]) => single ?? double ?? template ?? '')
    .filter((text) => /^[A-Z][a-z]* .*\.$/.test(text))
    .map((text) => text.replace(/\$\{(?:by\([^}]*\)|suffix)\}/g, '').replace(/\$\{[^}]*\}/g, '5'));
}

describe('the words for commands', () => {
  it('are there for each state and refusal that the page can meet', () => {
    for (const state of COMMAND_STATES) {
      assert.ok(`commands.state.${state}` in words, state);
      assert.ok(page.includes(`'${state}'`), state);
    }
    // These are told at a field, or by who may.
    const elsewhere = new Set(['bad-parameter', 'not-permitted', 'confirmation-needed', 'expired', 'duplicate-id']);
    for (const refusal of REFUSALS)
      assert.equal(`commands.refusal.${refusal}` in words, !elsewhere.has(refusal), refusal);
  });

  it('are there for each reason that the queue gives, and each can be met', () => {
    const said = ['life-cycle.ts', 'new-command.ts', 'lane.ts', 'queue.ts']
      .flatMap(sentences)
      .filter((sentence) => !OTHER.test(sentence));
    assert.ok(said.length > 20, String(said.length));
    const missing = [...said, ...FILLED].filter((sentence) => !sayings.some(({ pattern }) => pattern.test(sentence)));
    assert.deepEqual(missing, []);
    for (const { key } of sayings) assert.ok(`commands.said.${key}` in words, key);
  });
});
