/** What all List calls have in common (storage/*.rs): the limit is taken as it is, so that 0 gives an empty page. */
export interface Page<Item> {
  readonly total: number;
  readonly items: readonly Item[];
}

export function page<Item>(items: readonly Item[], limit: number, offset: number): Page<Item> {
  return { total: items.length, items: items.slice(offset, offset + limit) };
}

/** `name ILIKE '%search%'`, where `%` and `_` in the search mean what they mean in SQL. */
export function nameMatches(name: string, search: string): boolean {
  if (search === '') return true;
  const pattern = search
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '[\\s\\S]*')
    .replaceAll('_', '[\\s\\S]');
  return new RegExp(pattern, 'i').test(name);
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

export const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  compareText(a.name, b.name);
