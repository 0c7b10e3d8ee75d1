// Makes flows/gateway.json, flows/gateway_cred.json and the examples of the import menu from their readable sources
// in flows/src/ and flows/ui/. The same sources give the same bytes; nothing is written that has not changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dashboardNodes } from '../flows/src/dashboard.mjs';
import { exampleFlows, withoutEnvironment } from '../flows/src/examples.mjs';
import { credentials, gatewayNodes } from '../flows/src/gateway.mjs';
import { monitoringNodes } from '../flows/src/monitoring.mjs';

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

/** A page with the words of all languages in it: it must bring everything, the browser loads nothing else. */
function page(file) {
  const folder = join(root, 'flows', 'ui');
  const words = JSON.parse(readFileSync(join(folder, 'translations.json'), 'utf8'));
  const source = readFileSync(join(folder, file), 'utf8');
  const placeholder = '/* translations.json */ {}';
  if (!source.includes(placeholder)) throw new Error(`${file} has no place for the translations`);
  return source.replace(placeholder, () => JSON.stringify(words));
}

/** Everything that is generated, by path from the top folder. */
export function generatedFlows() {
  const nodes = [...gatewayNodes, ...monitoringNodes, ...dashboardNodes(page('overview.vue'))];
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
