/** Source files of the checkout and what they import, for tests of the architecture. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { repositoryRoot } from './paths';

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path of the file meant, from the top of the checkout, with slashes; undefined for packages and built-ins. */
  readonly file: string | undefined;
  /** Erased when compiled. */
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** From the top of the checkout, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Without comments, and with empty strings. */
  readonly code: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

const COMMENT_OR_STRING =
  /(\/\*[\s\S]*?\*\/|(?<![\\:])\/\/[^\n]*)|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
// import … from '…', export … from '…', import '…', import x = require('…'), require('…'), import('…')
const IMPORT =
  /\b(import|export)\b((?:\s+type\b)?)([^;'"`()]*?)\bfrom\s*'([^']+)'|\bimport\s*'([^']+)'|\b(?:import|require)\(\s*'([^']+)'\s*\)/g;

/** All source files below the folders given, sorted by path. */
export function sourceFiles(folders: readonly string[], extension = '.ts'): SourceFile[] {
  return folders
    .flatMap((folder) => filesBelow(join(repositoryRoot, folder)))
    .filter((file) => file.endsWith(extension))
    .map((file) => relative(repositoryRoot, file).split(sep).join('/'))
    .sort()
    .map(readSourceFile);
}

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

function readSourceFile(path: string): SourceFile {
  const text = readFileSync(join(repositoryRoot, path), 'utf8');
  const withoutComments = text.replace(COMMENT_OR_STRING, (all, comment?: string) =>
    comment === undefined ? all : '',
  );
  return {
    path,
    text,
    code: text.replace(COMMENT_OR_STRING, (_, comment?: string) => (comment === undefined ? "''" : '')),
    lines: text.split('\n').length - 1,
    imports: [...withoutComments.matchAll(IMPORT)].map(([, , type = '', names = '', from, bare, called]) => {
      const specifier = from ?? bare ?? called ?? '';
      const typeOnly = type.trim() === 'type' || /^\s*\{(?:\s*type\s[^,}]*,?)+\s*\}\s*$/.test(names);
      return { specifier, file: resolveImport(path, specifier), typeOnly };
    }),
  };
}

function resolveImport(importer: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const target = join(dirname(importer), specifier).split(sep).join('/');
  const candidates = [`${target}.ts`, `${target}/index.ts`, target];
  return candidates.find((candidate) => existsSync(join(repositoryRoot, candidate))) ?? target;
}

/**
 * One cycle of imports, as the paths along it; undefined if there is none. Imports of types do not count: they are
 * erased, and types may well name each other (a device has metrics, a metric has a device).
 */
export function findCycle(files: readonly SourceFile[]): string[] | undefined {
  const imports = new Map(
    files.map(({ path, imports: all }) => [
      path,
      all.flatMap(({ file, typeOnly }) => (file === undefined || typeOnly ? [] : file)),
    ]),
  );
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): string[] | undefined => {
    const start = trail.indexOf(path);
    if (start >= 0) return [...trail.slice(start), path];
    if (done.has(path)) return undefined;
    trail.push(path);
    for (const next of imports.get(path) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    trail.pop();
    done.add(path);
    return undefined;
  };
  for (const path of imports.keys()) {
    const cycle = visit(path);
    if (cycle) return cycle;
  }
  return undefined;
}
