// Makes the html of one node from its two readable sources: the form (<node>.html) and the editor code
// (<node>.editor.ts). The code is transpiled but not bundled: the editor and the palette's tools read it as a plain
// script with one literal RED.nodes.registerType call.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';

/** What forms have in common. */
const COMMON = ['rules', 'endpoints', 'definitions'].map((name) => `nodes/common/${name}.editor.ts`);

/** @param {string} folder folder of the node's sources @param {string} base name of the node type */
export async function buildNodeHtml(folder, base) {
  const form = readFileSync(join(folder, `${base}.html`), 'utf8');
  const source = [...COMMON, join(folder, `${base}.editor.ts`)].map((file) => readFileSync(file, 'utf8')).join('\n');
  const { code } = await transform(source, { loader: 'ts', target: 'es2022', format: 'iife', treeShaking: true });
  return `<script type="text/javascript">\n${code}</script>\n\n${form}`;
}
