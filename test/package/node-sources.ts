/** The sources of the nodes as the tests of the package look at them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../support/paths';
import { type Element, parseMarkup } from './markup';

export const LANGUAGES = ['en-US', 'de', 'fr'] as const;
export type Language = (typeof LANGUAGES)[number];

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly keywords: readonly string[];
  readonly license: string;
  readonly repository: { readonly url: string };
  readonly bugs: { readonly url: string };
  readonly main: string;
  readonly types: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly 'node-red': {
    readonly version: string;
    readonly nodes: Readonly<Record<string, string>>;
    readonly plugins: Readonly<Record<string, string>>;
  };
}

export function readSource(...path: string[]): string {
  return readFileSync(join(repositoryRoot, ...path), 'utf8');
}

export function readJson(...path: string[]): unknown {
  return JSON.parse(readSource(...path));
}

export const packageJson = readJson('package.json') as PackageJson;

/** Types of our nodes; each is a set of its own with one file each for runtime, form, editor, help and texts. */
export const nodeTypes: readonly string[] = Object.keys(packageJson['node-red'].nodes);

export function formOf(type: string): Element {
  return parseMarkup(readSource('nodes', type, `${type}.html`));
}

/** The texts of a node in one language, as `a.b.c` → text. */
export function catalogueOf(type: string, language: Language): Map<string, string> {
  const texts = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'string') texts.set(path, value);
    else if (typeof value === 'object' && value !== null)
      for (const [key, below] of Object.entries(value)) walk(below, path === '' ? key : `${path}.${key}`);
    else throw new Error(`${path} in ${language}/${type}.json is neither text nor group`);
  };
  walk(readJson('locales', language, `${type}.json`), '');
  return texts;
}

/** Names in `__name__` of a text, sorted. */
export function placeholdersOf(text: string): string[] {
  return [...text.matchAll(/__(\w+?)__/g)].map(([, name = '']) => name).sort();
}
