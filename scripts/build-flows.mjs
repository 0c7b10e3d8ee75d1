// Makes flows/gateway.json, flows/gateway_cred.json and the examples of the import menu from their readable sources
// in flows/src/ and flows/ui/. The same sources give the same bytes; nothing is written that has not changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dashboardNodes, PAGES } from '../flows/src/dashboard.mjs';
import { exampleFlows, withoutEnvironment } from '../flows/src/examples.mjs';
import { credentials, gatewayNodes } from '../flows/src/gateway.mjs';
import { monitoringNodes } from '../flows/src/monitoring.mjs';
import * as pages from '../flows/ui/pages.mjs';
import * as shared from '../flows/ui/shared.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Node-RED's ids have 16 hexadecimal digits; made from the name, they stay the same from build to build. */
function idOf(name) {
  return createHash('sha256').update(`lorua/${name}`).digest('hex').slice(0, 16);
}

/** Replaces every `@name` by the id of that node. */
function resolveNames(value, names, place) {
  if (Array.isArray(value)) return value.map((item) => resolveNames(item, names, place));
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolveNames(item, names, place)]));
  if (typeof value !== 'string' || !/^@[A-Za-z]\w*$/.test(value)) return value;
  const name = value.slice(1);
  if (!names.has(name)) throw new Error(`${place}: there is no node "${name}"`);
  return idOf(`${place}/${name}`);
}

/** A flow as Node-RED wants it. @param {object[]} nodes @param {string} place makes its ids its own */
function finish(nodes, place) {
  const names = new Set(nodes.map(({ id }) => id));
  if (names.size !== nodes.length) throw new Error(`${place}: two nodes have the same name`);
  return nodes.map((node) => ({ ...resolveNames(node, names, place), id: idOf(`${place}/${node.id}`) }));
}

const uiFolder = join(root, 'flows', 'ui');
const readUi = (file) => readFileSync(join(uiFolder, file), 'utf8');

/** The words of all languages that a page may use: those of all pages, and those that begin with its own name. */
function wordsOf(name) {
  const others = PAGES.map(({ file }) => `${file}.`).filter((prefix) => prefix !== `${name}.`);
  return Object.fromEntries(
    Object.entries(JSON.parse(readUi('translations.json'))).map(([language, words]) => [
      language,
      Object.fromEntries(Object.entries(words).filter(([key]) => !others.some((prefix) => key.startsWith(prefix)))),
    ]),
  );
}

/** Members of an object as the text of a literal, methods as they are written. */
function literal(members) {
  return Object.entries(members)
    .map(([name, value]) => `${typeof value === 'function' ? String(value) : `${name}: ${JSON.stringify(value)}`},`)
    .join('\n');
}

/** A page brings everything, as the browser loads nothing else: the words, and what it shares with the other pages. */
function page(file) {
  const pieces = {
    '/* translations.json */ {}': JSON.stringify(wordsOf(file.replace('.vue', ''))),
    '/* shared.data */': literal(shared.data),
    '/* shared.computed */': literal(shared.computed),
    '/* shared.methods */': literal(shared.methods),
    '/* shared.css */': readUi('shared.css').trimEnd(),
  };
  const source = Object.entries(pieces).reduce((text, [place, piece]) => {
    if (text.split(place).length !== 2) throw new Error(`${file} has no place, or several, for ${place}`);
    return text.replace(place, () => piece);
  }, readUi(file));
  return source
    .replace('/* pages.data */', () => literal(pages.data))
    .replace('/* pages.methods */', () => literal(pages.methods))
    .replace(/<!-- (\w+\.html) -->/g, (_, name) => readUi(name).trim());
}

/** Everything that is generated, by path from the top folder. */
export function generatedFlows() {
  const nodes = [...gatewayNodes, ...monitoringNodes, ...dashboardNodes(page, readUi('dark.css'))];
  const files = {
    'flows/gateway.json': finish(nodes, 'gateway'),
    'flows/gateway_cred.json': Object.fromEntries(
      Object.entries(credentials).map(([name, value]) => [idOf(`gateway/${name}`), value]),
    ),
    'examples/00 - gateway.json': finish(withoutEnvironment(nodes), 'gateway'),
  };
  for (const [name, example] of Object.entries(exampleFlows)) files[`examples/${name}.json`] = finish(example, name);
  return Object.fromEntries(
    Object.entries(files).map(([path, content]) => [path, `${JSON.stringify(content, undefined, 2)}\n`]),
  );
}

export function buildFlows() {
  const files = generatedFlows();
  mkdirSync(join(root, 'examples'), { recursive: true });
  for (const name of readdirSync(join(root, 'examples')))
    if (files[`examples/${name}`] === undefined) rmSync(join(root, 'examples', name));
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path);
    if (!existsSync(target) || readFileSync(target, 'utf8') !== content) writeFileSync(target, content);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildFlows();
