/** Just enough of an HTML parser for forms, help and icons: it refuses what is not well-formed. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly (Element | string)[];
}

interface OpenElement extends Element {
  readonly children: (Element | string)[];
}

const VOID_ELEMENTS = new Set(['br', 'hr', 'img', 'input', 'link', 'meta']);
const TOKEN = /<!--[\s\S]*?-->|<\/([\w-]+)\s*>|<([\w-]+)((?:\s+[\w:-]+(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*)\s*(\/?)>/g;
const ATTRIBUTE = /([\w:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'))?/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: '\u00a0' };

/** The elements of a text. Contents of `script` are read as markup, since that is what Node-RED keeps in them. */
export function parseMarkup(text: string): Element {
  const root: OpenElement = { name: '', attributes: new Map(), children: [] };
  const open = [root];
  const innermost = (): OpenElement => open.at(-1) ?? root;
  let position = 0;
  for (const token of text.matchAll(TOKEN)) {
    addText(innermost(), text.slice(position, token.index));
    position = token.index + token[0].length;
    const [all, closed, opened, attributes = '', selfClosing] = token;
    if (all.startsWith('<!--')) continue;
    if (closed !== undefined) {
      const element = open.pop();
      if (element?.name !== closed) throw new Error(`</${closed}> closes <${element?.name}>`);
    } else if (opened !== undefined) {
      const element: OpenElement = { name: opened, attributes: parseAttributes(opened, attributes), children: [] };
      innermost().children.push(element);
      if (!VOID_ELEMENTS.has(opened) && selfClosing !== '/') open.push(element);
    }
  }
  addText(innermost(), text.slice(position));
  if (open.length !== 1) throw new Error(`<${innermost().name}> is never closed`);
  return root;
}

function addText(parent: OpenElement, text: string): void {
  if (text === '') return;
  const stray = /[<>]|&(?!#?\w+;)/.exec(text);
  if (stray) throw new Error(`"${stray[0]}" must be escaped in "${text.trim()}"`);
  parent.children.push(
    text.replace(/&(\w+);/g, (_, name: string) => {
      const character = ENTITIES[name];
      if (character === undefined) throw new Error(`unknown entity &${name};`);
      return character;
    }),
  );
}

function parseAttributes(element: string, text: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name = '', double, single] of text.matchAll(ATTRIBUTE)) {
    if (attributes.has(name)) throw new Error(`<${element}> has ${name} twice`);
    attributes.set(name, double ?? single ?? '');
  }
  return attributes;
}

/** All elements below one, in document order; only those of the names given, if any. */
export function elementsOf(parent: Element, ...names: string[]): Element[] {
  return parent.children.flatMap((child) => {
    if (typeof child === 'string') return [];
    const below = elementsOf(child, ...names);
    return names.length === 0 || names.includes(child.name) ? [child, ...below] : below;
  });
}

/** The text of an element, white space collapsed. */
export function textOf(element: Element): string {
  const text = element.children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('');
  return text.replace(/[ \t\r\n]+/g, ' ').trim();
}
