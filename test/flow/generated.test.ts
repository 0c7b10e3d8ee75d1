/** What is generated from readable sources and committed must be what the sources say now. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { flowVariables, parseEnvironment } from '../../lib/runtime';
import { repositoryRoot } from '../support/paths';

interface Builder {
  generatedFlows(): Record<string, string>;
}

async function generated(): Promise<Record<string, string>> {
  const script = pathToFileURL(join(repositoryRoot, 'scripts', 'build-flows.mjs')).href;
  return ((await import(script)) as Builder).generatedFlows();
}

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');

function namesIn(text: string): string[] {
  return [...new Set(Array.from(text.matchAll(/"\$\{(\w+)\}"/g), ([, name]) => name ?? ''))].sort();
}

describe('the generated flows', () => {
  it('are up to date', async () => {
    for (const [path, content] of Object.entries(await generated()))
      assert.equal(read(path), content, `${path}: run node scripts/build-flows.mjs`);
  });

  it('are the same each time', async () => assert.deepEqual(await generated(), await generated()));

  it('leave no example behind that nothing makes', async () => {
    const expected = Object.keys(await generated()).filter((path) => path.startsWith('examples/'));
    const found = readdirSync(join(repositoryRoot, 'examples')).map((name) => `examples/${name}`);
    assert.deepEqual(found.sort(), expected.sort());
  });

  it('have an example for each node', () => {
    const { 'node-red': nodeRed } = JSON.parse(read('package.json')) as { 'node-red': { nodes: object } };
    const examples = readdirSync(join(repositoryRoot, 'examples'))
      .map((name) => read(`examples/${name}`))
      .join('\n');
    for (const type of Object.keys(nodeRed.nodes)) assert.ok(examples.includes(`"type": "${type}"`), type);
  });

  it('use no variable that the program does not set', () => {
    const { environment } = parseEnvironment({}, '/data');
    const known = Object.keys(flowVariables(environment, { name: 'admin', hash: '' }, undefined, '')).sort();
    const used = namesIn(read('flows/gateway.json') + read('flows/gateway_cred.json'));
    assert.deepEqual(used, known, 'and set none that nothing uses');
  });

  it('need no environment in the palette', () => {
    for (const name of readdirSync(join(repositoryRoot, 'examples')))
      assert.deepEqual(namesIn(read(`examples/${name}`)), [], name);
  });

  it('wire only nodes that are there, inside one tab each', () => {
    for (const path of [
      'flows/gateway.json',
      ...readdirSync(join(repositoryRoot, 'examples')).map((n) => `examples/${n}`),
    ]) {
      const nodes = JSON.parse(read(path)) as { id: string; z?: string; wires?: string[][]; links?: string[] }[];
      const byId = new Map(nodes.map((node) => [node.id, node]));
      assert.equal(byId.size, nodes.length, `${path}: ids are unique`);
      for (const node of nodes) {
        for (const target of node.wires?.flat() ?? []) assert.equal(byId.get(target)?.z, node.z, path);
        for (const target of node.links ?? []) assert.ok(byId.has(target), path);
      }
    }
  });
});

describe('the words of the dashboard', () => {
  const words = JSON.parse(read('flows/ui/translations.json')) as Record<string, Record<string, string>>;
  const page = read('flows/ui/overview.vue');

  it('are there in every language, with the same places to fill', () => {
    const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    const english = words['en-US'] ?? {};
    assert.deepEqual(Object.keys(words), ['en-US', 'de', 'fr']);
    for (const [language, translated] of Object.entries(words)) {
      assert.deepEqual(Object.keys(translated), Object.keys(english), language);
      for (const [key, text] of Object.entries(translated)) {
        assert.notEqual(text, '', `${language} ${key}`);
        assert.deepEqual(places(text), places(english[key] ?? ''), `${language} ${key}`);
      }
    }
  });

  it('are there for every verdict', () => {
    // Each says why and what to do; the keys are made from the code, so no search for them finds these.
    const source = read('lib/admin/status.ts');
    const codes = [...source.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code]) => code);
    assert.ok(codes.length > 9);
    for (const code of codes)
      for (const key of [`why.${code}`, `cure.${code}`]) assert.ok(key in (words['en-US'] ?? {}), key);
  });

  it('are there for every key that the page uses', () => {
    for (const [, key = ''] of page.matchAll(/\bt\('([\w.]+)'[,)]/g)) assert.ok(key in (words['en-US'] ?? {}), key);
    for (const [, key = ''] of page.matchAll(/\bcount\('([\w.]+)'/g)) assert.ok(key in (words['en-US'] ?? {}), key);
  });
});
