/** The types of `urn:lorua:model` as a NodeSet2 file (Part 6 Annex F), for engineering tools and other servers. */
import { systemClock } from '../../model';
import { loadLibrary } from '../library';
import { MODEL_NAMESPACE } from './namespaces';
import { NodeFactory } from './node-factory';

const HEADER = `<?xml version="1.0" encoding="utf-8"?>
<!-- Types of Lorua (${MODEL_NAMESPACE}), made from the program by scripts/write-nodeset.mjs. MIT licence. -->
`;

/** References from parents to children, which the file shall have in both directions. */
const CHILD_REFERENCES = ['HasComponent', 'HasProperty', 'Organizes'] as const;

/** Makes the file. The same types give the same text, byte for byte. */
export async function exportModel(): Promise<string> {
  const library = await loadLibrary();
  const addressSpace = library.AddressSpace.create();
  try {
    // Namespace 1 is that of the server itself.
    addressSpace.registerNamespace('urn:lorua:nodeset');
    await library.generateAddressSpace(addressSpace, [library.nodesets.standard]);
    const { namespaces } = await NodeFactory.open(library, addressSpace, systemClock);
    return withInverseReferences(tidy(namespaces.model.toNodeset2XML()));
  } finally {
    addressSpace.dispose();
  }
}

/** Takes away what the library writes besides: its marks, and aliases that contain a namespace index. */
function tidy(xml: string): string {
  const text = xml.replace(/^<\?xml.*?\?>\s*/, HEADER).replaceAll(/^<!--(?!.*made from the program).*-->\n/gm, '');
  const aliases = [...text.matchAll(/^ *<Alias Alias="(?<alias>\d+:[^"]+)">(?<id>[^<]+)<\/Alias>\n/gm)];
  return aliases.reduce((rest, { 0: line, groups: { alias = '', id = '' } = {} }) => {
    return rest.replace(line, '').replaceAll(`="${alias}"`, `="${id}"`);
  }, `${text.trimEnd()}\n`);
}

/** The library leaves out the reference from a child to its parent; not every tool looks for it at the parent. */
function withInverseReferences(xml: string): string {
  const parents = new Map<string, { readonly parent: string; readonly type: string }>();
  let source = '';
  for (const line of xml.split('\n')) {
    source = /<UA\w+ NodeId="(?<id>[^"]+)"/.exec(line)?.groups?.['id'] ?? source;
    const { type = '', target = '' } =
      /<Reference ReferenceType="(?<type>\w+)">(?<target>[^<]+)</.exec(line)?.groups ?? {};
    if (CHILD_REFERENCES.some((name) => name === type)) parents.set(target, { parent: source, type });
  }
  return xml.replaceAll(
    /(?<head><UA\w+ NodeId="(?<id>[^"]+)"(?:(?!<\/References>)[\s\S])*?)(?<end>\n *<\/References>)/g,
    (...[all, , , , , , groups]: [string, ...unknown[]]) => {
      const { head = '', id = '', end = '' } = (groups ?? {}) as Readonly<Record<string, string>>;
      const found = parents.get(id);
      if (found === undefined) return all;
      return `${head}\n            <Reference ReferenceType="${found.type}" IsForward="false">${found.parent}</Reference>${end}`;
    },
  );
}
