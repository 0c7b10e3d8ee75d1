/** Which texts of the catalogues the code asks for. */
export interface TextUse {
  /** Key in full; `*` stands for a part that is only known at run time. */
  readonly key: string;
  /** Names of the values handed over; undefined where they cannot be read from the code. */
  readonly values: readonly string[] | undefined;
}

// this._('key'), RED._('key', {values}), this._(`key.${part}`)
const CALL = /\b(?:this|RED)\._\(\s*('[^']*'|`[^`]*`)\s*(?:,\s*(\{[^{}]*\}|\w+)\s*)?,?\s*\)/g;
// commonText(RED, 'key', {values}) and fieldRule('key', {values}, …)
const COMMON_CALL = /\bcommonText\(\s*RED,\s*'([^']*)'\s*(?:,\s*(\{[^{}]*\}|\w+)\s*)?,?\s*\)/g;
const RULE_CALL = /\bfieldRule\(\s*'([^']*)',\s*(\{[^{}]*\})/g;
const ANY_CALL = /\b_\(|\bcommonText\(|\bfieldRule\(/g;
// Where the three functions are defined: their keys are those that they are called with.
const DEFINITION = /RED\._\(`\$\{COMMON\w*\}[^`]*`, values\)|function (?:commonText|fieldRule)\(/g;

/** All uses in the code of a node or of what nodes have in common. Throws where a key is not a literal. */
export function textUses(code: string): TextUse[] {
  const source = code.replace(DEFINITION, '');
  const uses: TextUse[] = [];
  for (const [, literal = '', values] of source.matchAll(CALL))
    for (const key of expand(literal.slice(1, -1))) uses.push({ key, values: valueNames(values) });
  const direct = [...source.matchAll(CALL)].length;
  const common = [...source.matchAll(COMMON_CALL)];
  const rules = [...source.matchAll(RULE_CALL)];
  for (const [, key = '', values] of common) uses.push({ key: `common.${key}`, values: valueNames(values) });
  for (const [, key = '', values] of rules) uses.push({ key: `common.rule.${key}`, values: valueNames(values) });
  const all = [...source.matchAll(ANY_CALL)].length;
  if (all !== direct + common.length + rules.length)
    throw new Error(`${all} texts are asked for, but only ${direct + common.length + rules.length} by a literal key`);
  return uses;
}

/** `a.${['b', 'c'][index]}` is a.b and a.c; any other expression is `*`. */
function expand(key: string): string[] {
  const match = /\$\{([^}]*)\}/.exec(key);
  if (!match) return [key];
  const list = /^\[(.*)\]\[\w+\]$/.exec(match[1] ?? '');
  const parts = list ? [...(list[1] ?? '').matchAll(/'([^']*)'/g)].map(([, part = '']) => part) : ['*'];
  return parts.flatMap((part) => expand(key.replace(match[0], part)));
}

function valueNames(text: string | undefined): string[] | undefined {
  if (text === undefined) return [];
  if (!text.startsWith('{')) return undefined;
  return text
    .slice(1, -1)
    .split(',')
    .map((part) => part.split(':')[0]?.trim() ?? '')
    .filter((name) => name !== '')
    .sort();
}
