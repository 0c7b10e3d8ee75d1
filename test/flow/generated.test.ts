/** What is generated from readable sources and committed must be what the sources say now. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { CONNECTION_ERROR_KINDS, ORIGINS, ROLES, SERVICE_LEVEL_REASONS } from '../../lib/model';
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
  const english = words['en-US'] ?? {};
  const sources = readdirSync(join(repositoryRoot, 'flows', 'ui'))
    .filter((name) => /\.(?:vue|html|mjs)$/.test(name))
    .map((name) => ({ name, text: read(`flows/ui/${name}`) }));
  const pages = sources.filter(({ name }) => name.endsWith('.vue')).map(({ name }) => name.replace('.vue', ''));

  it('are there in every language, with the same places to fill', () => {
    const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
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
    for (const code of codes) for (const key of [`why.${code}`, `cure.${code}`]) assert.ok(key in english, key);
  });

  it('are there for every reason of the service level, kind of error and origin of readings', () => {
    for (const reason of Object.keys(SERVICE_LEVEL_REASONS)) assert.ok(`health.reason.${reason}` in english, reason);
    for (const kind of CONNECTION_ERROR_KINDS) assert.ok(`health.error.${kind}` in english, kind);
    for (const origin of ORIGINS) assert.ok(`health.origin.${origin}` in english, origin);
    for (const role of ROLES) assert.ok(`role.${role}.hint` in english, role);
  });

  it('are there for every key that a page uses, in the part that the page is given', () => {
    for (const { name, text } of sources) {
      const own = `${name.split('.')[0] ?? ''}.`;
      for (const [, key = ''] of text.matchAll(/\b(?:t|known|count|amount)\('([\w.-]+)'[,)]/g)) {
        const found = [key, own + key].find((candidate) => candidate in english);
        assert.ok(found, `${name}: ${key}`);
        const owner = pages.find((page) => found.startsWith(`${page}.`));
        assert.ok(owner === undefined || `${owner}.` === own, `${name} is not given ${found}`);
      }
    }
  });

  it('are used, each of them', () => {
    const all = sources.map(({ text }) => text).join('\n');
    const unused = Object.keys(english).filter((key) => {
      if (all.includes(`'${key}'`)) return false;
      // Keys that are put together: the beginning stands in the source, or the last word does.
      const words = key.split('.');
      const beginnings = words.map((_, index) => words.slice(0, index + 1).join('.'));
      return (
        !beginnings.some((beginning) => all.includes(`'${beginning}.'`)) && !all.includes(`'${words.at(-1) ?? ''}'`)
      );
    });
    assert.deepEqual(unused, []);
  });
});

describe('the pages of the dashboard', () => {
  const flow = JSON.parse(read('flows/gateway.json')) as { type: string; name?: string; format?: string }[];

  it('bring everything: no place is left to fill, and nothing is loaded from elsewhere', () => {
    const templates = flow.filter(({ type }) => type === 'ui-template');
    assert.ok(templates.length > 5);
    for (const { name, format = '' } of templates) {
      assert.doesNotMatch(format, /shared\.(?:data|computed|methods|css)|translations\.json|<!--/, name);
      assert.doesNotMatch(format, /\bsrc=|\bimport\b|@import|url\(|https?:/, name);
    }
  });

  it('write nothing that somebody else has named as HTML', () => {
    for (const { name = '', format = '' } of flow.filter(({ type }) => type === 'ui-template'))
      assert.doesNotMatch(format, /v-html|innerHTML|insertAdjacentHTML|document\.write/, name);
  });

  it('get answers for the browser that asked, and keep none for others', () => {
    const bases = JSON.stringify(flow.filter(({ type }) => type === 'ui-base'));
    assert.match(bases, /"includeClientData":true/);
    assert.match(bases, /"acceptsClientConfig":\[[^\]]*"ui-template"/);
    for (const node of flow.filter(({ type }) => type === 'ui-template'))
      assert.match(JSON.stringify(node), /"storeOutMessages":false,"passthru":false,"resendOnRefresh":false/);
  });
});
