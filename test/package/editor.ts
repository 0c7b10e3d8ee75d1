/** Runs the editor code of a node as the browser does, with just enough of the editor around it. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { repositoryRoot } from '../support/paths';

export interface FieldDefinition {
  readonly value: unknown;
  readonly type?: string;
  readonly required?: boolean;
  validate?(value: unknown): boolean | string;
}

export interface NodeDefinition {
  readonly category: string;
  readonly defaults: Readonly<Record<string, FieldDefinition>>;
  readonly credentials?: Readonly<Record<string, { readonly type: string }>>;
  readonly inputs?: number;
  readonly outputs?: number;
  readonly icon?: string;
  readonly color?: string;
  inputLabels?(index: number): string;
  outputLabels?(index: number): string;
}

export interface LoadedEditor {
  /** The html that Node-RED sends to the browser: script and form. */
  readonly html: string;
  /** The script in it. */
  readonly script: string;
  readonly type: string;
  readonly definition: NodeDefinition;
}

interface HtmlBuilder {
  buildNodeHtml(folder: string, base: string): Promise<string>;
}

/** Text of the catalogue stands for itself. */
const text = (key: string): string => key;

export async function loadEditor(type: string): Promise<LoadedEditor> {
  process.chdir(repositoryRoot);
  const builder = (await import(
    pathToFileURL(join(repositoryRoot, 'scripts', 'build-node-html.mjs')).href
  )) as HtmlBuilder;
  const html = await builder.buildNodeHtml(join('nodes', type), type);
  const script = /<script type="text\/javascript">([\s\S]*?)<\/script>/.exec(html)?.[1];
  if (script === undefined) throw new Error(`the html of ${type} has no script`);
  const registered: { type: string; definition: NodeDefinition }[] = [];
  const registerType = (name: string, definition: NodeDefinition): void => {
    registered.push({ type: name, definition: Object.assign(definition, { _: text }) });
  };
  runInContext(script, createContext({ RED: { nodes: { registerType }, _: text } }));
  const [only, ...others] = registered;
  if (only === undefined || others.length > 0) throw new Error(`${type} registers ${registered.length} types`);
  return { html, script, ...only };
}
